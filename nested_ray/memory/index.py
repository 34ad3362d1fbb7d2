"""NgramIndex: every context of the corpus up to `max_order` tokens, and what followed it.

The documents are joined with an end id between them and *reversed*, and the suffixes of that text
are sorted. All places that share their last n tokens are then neighbours: a context of n tokens is
one range of rows, the range of n + 1 tokens lies inside it, and what followed the context is a
contiguous slice of `followers` (and the document it happened in, of `documents`). `links` takes a range one token on (the FM-index step): row k of
token w's block is the place that row `links[k]` becomes once w has been appended. One binary search
per order therefore keeps all orders at once, and neither text nor suffix array is needed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from pydivsufsort import divsufsort

from nested_ray.errors import StorageError
from nested_ray.memory.files import load_arrays, save_arrays
from nested_ray.memory.orders import Continuations, Match, once_per_document

MAX_ORDER = 32
# One order's followers are read in full below this; above, evenly spaced rows stand for them.
MAX_ROWS = 32_768
# Orders with fewer rows are handled together; each larger one is counted once and remembered.
SMALL_ROWS = 256
REMEMBERED_RANGES = 2_048
ARRAYS = ("followers", "documents", "links")

Ranges = tuple[NDArray[np.uint32], NDArray[np.uint32]]
"""First and one-past-last rows of orders 1, 2, …; longer contexts that never occurred are absent."""


class NgramIndex:
    """Occurrences of contexts in a corpus of token ids; immutable once built."""

    def __init__(
        self,
        followers: NDArray[np.unsignedinteger],
        documents: NDArray[np.uint32],
        links: NDArray[np.uint32],
        *,
        vocab_size: int,
        max_order: int,
    ) -> None:
        self.vocab_size = vocab_size
        self.max_order = max_order
        self.end = vocab_size
        """The id between documents; it opens every document and is never predicted."""
        self.followers = followers
        self.documents = documents
        self.links = links
        counts = np.bincount(followers, minlength=vocab_size + 1)
        self.num_tokens = int(counts[:vocab_size].sum())
        self.starts: list[int] = np.concatenate([[0], np.cumsum(counts)]).tolist()
        # One more than counted, so that ids the corpus never showed keep a chance.
        self.base = ((counts[:vocab_size] + 1) / (self.num_tokens + vocab_size)).astype(np.float32)
        self._remembered: dict[tuple[int, int], Continuations] = {}
        self._remembering = Lock()

    @classmethod
    def build(
        cls,
        documents: Iterable[Sequence[int] | NDArray[np.integer]],
        *,
        vocab_size: int,
        max_order: int,
    ) -> NgramIndex:
        """Index documents of token ids below `vocab_size`; no context crosses from one to the next.

        Raises ValueError for ids outside the vocabulary or an order outside 1..32.
        """
        if not 1 <= max_order <= MAX_ORDER:
            raise ValueError(f"max_order must be from 1 to {MAX_ORDER}, got {max_order}")
        text = _joined(documents, vocab_size)
        reversed_text = text[::-1].copy()
        suffixes = _suffix_array(reversed_text)
        # The last end has no follower; index -1 gives it the end id that opens the text.
        followers = reversed_text[suffixes - 1]
        numbers = np.cumsum(text == vocab_size, dtype=np.uint32)[::-1] - np.uint32(1)
        links = np.argsort(followers, kind="stable").astype(np.uint32)
        return cls(
            followers, numbers[suffixes - 1], links, vocab_size=vocab_size, max_order=max_order
        )

    def save(self, folder: str | Path) -> None:
        """Write the arrays and, last, `index.json` that vouches for them."""
        facts = {
            "vocab_size": self.vocab_size,
            "max_order": self.max_order,
            "num_tokens": self.num_tokens,
        }
        save_arrays(Path(folder), facts, {name: getattr(self, name) for name in ARRAYS})

    @classmethod
    def load(cls, folder: str | Path, *, verify: bool = False) -> NgramIndex:
        """Map a saved index into memory; `verify` reads every byte and compares its sha256.

        Raises StorageError for missing or foreign files, DigestMismatch for damaged ones.
        """
        facts, arrays = load_arrays(Path(folder), ARRAYS, verify=verify)
        followers, documents, links = (arrays[name] for name in ARRAYS)
        vocab_size, max_order = facts["vocab_size"], facts["max_order"]
        consistent = 1 <= max_order <= MAX_ORDER and len(followers) == len(documents) == len(links)
        if not consistent or len(followers) == 0 or int(followers.max()) != vocab_size:
            raise StorageError(
                f"{Path(folder) / 'index.json'} does not describe the arrays beside it; "
                "fetch the nest again"
            )
        return cls(followers, documents, links, vocab_size=vocab_size, max_order=max_order)

    def opening(self) -> Ranges:
        """The ranges at the beginning of a document."""
        return self._block(self.end)

    def nowhere(self) -> Ranges:
        """The ranges of an unknown context: no order matches."""
        return np.empty(0, np.uint32), np.empty(0, np.uint32)

    def advance(self, ranges: Ranges, token: int) -> Ranges:
        """The ranges after one more token."""
        first, last = self._block(token)
        if not len(first) or not len(ranges[0]) or self.max_order == 1:
            return first, last
        start, stop = self.starts[token], self.starts[token + 1]
        links = self.links[start:stop]
        longer_first = links.searchsorted(ranges[0][: self.max_order - 1])
        longer_last = links.searchsorted(ranges[1][: self.max_order - 1])
        # Ranges nest, so the first empty one ends the match.
        kept = int(np.count_nonzero(longer_last > longer_first))
        return (
            np.concatenate([first, (longer_first[:kept] + start).astype(np.uint32)]),
            np.concatenate([last, (longer_last[:kept] + start).astype(np.uint32)]),
        )

    def match(self, ranges: Ranges) -> Match:
        """What followed the context, at every order that occurred."""
        bounds = list(zip(ranges[0].tolist(), ranges[1].tolist(), strict=True))
        large = [self._continuations(*rows) for rows in bounds if rows[1] - rows[0] > SMALL_ROWS]
        small = bounds[len(large) :]
        if not small:
            return Match.of(large)
        start, stop = small[0]
        tokens = self.followers[start:stop].astype(np.int64)
        documents = self.documents[start:stop].astype(np.int64)
        lengths = np.full(stop - start, len(large) + 1)
        for inner_start, inner_stop in small[1:]:
            lengths[inner_start - start : inner_stop - start] += 1
        inside = tokens != self.end
        return Match.of(
            large, *once_per_document(tokens[inside], documents[inside], lengths[inside])
        )

    def _block(self, token: int) -> Ranges:
        start, stop = self.starts[token], self.starts[token + 1]
        if start == stop:
            return self.nowhere()
        return np.array([start], np.uint32), np.array([stop], np.uint32)

    def _continuations(self, start: int, stop: int) -> Continuations:
        found = self._remembered.get((start, stop))
        if found is None:
            step = -(-(stop - start) // MAX_ROWS)
            rows = slice(start, stop, step)
            found = Continuations.count(self.followers[rows], self.documents[rows], self.vocab_size)
            with self._remembering:  # threads may share an index
                if len(self._remembered) >= REMEMBERED_RANGES:
                    del self._remembered[next(iter(self._remembered))]  # the oldest
                self._remembered[start, stop] = found
        return found


def _joined(
    documents: Iterable[Sequence[int] | NDArray[np.integer]], vocab_size: int
) -> NDArray[np.unsignedinteger]:
    """The documents with the end id before, between and after them."""
    dtype = np.uint16 if vocab_size < 1 << 16 else np.uint32
    end = np.array([vocab_size], dtype)
    parts = [end]
    for number, document in enumerate(documents):
        ids = np.asarray(document, dtype=np.int64)
        if len(ids) and not (0 <= ids.min() and ids.max() < vocab_size):
            raise ValueError(
                f"document {number} has token ids from {ids.min()} to {ids.max()}; "
                f"the vocabulary has 0 to {vocab_size - 1}"
            )
        parts += [ids.astype(dtype), end]
    return np.concatenate(parts)


def _suffix_array(text: NDArray[np.unsignedinteger]) -> NDArray[np.int64]:
    """Starts of all suffixes in sorted order.

    Sorted as big-endian bytes: their order is the order of the ids, and the suffixes that begin
    inside an id are dropped.
    """
    width = text.dtype.itemsize
    suffixes = divsufsort(text.astype(text.dtype.newbyteorder(">")).view(np.uint8))
    return suffixes[suffixes % width == 0] // width
