"""MemoryState: what the corpus and the file itself recall at the end of a growing text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nested_ray.memory.buckets import bucket_of
from nested_ray.memory.cache import FileCache
from nested_ray.memory.index import NgramIndex
from nested_ray.memory.orders import Floats, Match, interpolation

# Factor a (orders.py) of orders 1, 2, …; the last one holds for all longer orders. Large at long
# contexts, because their occurrences were already counted at every shorter order. Smoothed from a fit
# on held-out files of the Python standard library; fitting them anew gains less than 1 %.
CORPUS_FACTORS = np.array([2.0, 5.0, 10.0, 12.0])
CACHE_FACTORS = np.array([0.5, 0.6, 1.0, 2.0, 3.0])
# The file's tokens without any context.
CACHE_FACTOR_0 = 3.0


@dataclass(frozen=True)
class Recall:
    """Two distributions over the next token, each summing to 1. V vocabulary."""

    corpus: NDArray[np.float32]
    """(V,) from the n-gram index alone."""
    cache: NDArray[np.float32]
    """(V,) from the file's own text on top of the corpus; equal to `corpus` while the file is empty."""
    bucket: int
    """How much memory knows here: 0 to buckets.NUM_BUCKETS - 1."""


class MemoryState:
    """Recall at the end of a text that grows token by token."""

    def __init__(
        self, index: NgramIndex, *, suffix: Sequence[int] | NDArray[np.integer] = ()
    ) -> None:
        """An empty file; `suffix` is its text after the place of editing, when there is any."""
        self.index = index
        self._cache = FileCache(
            index.vocab_size, index.max_order, suffix=_checked(suffix, index.vocab_size)
        )
        self._ranges = index.opening()

    def append(self, token: int) -> None:
        """One more token; raises ValueError for an id outside the vocabulary."""
        if not 0 <= token < self.index.vocab_size:
            raise _outside(token, token, self.index.vocab_size)
        self._cache.append(token)
        self._ranges = self.index.advance(self._ranges, token)

    def extend(self, tokens: Sequence[int] | NDArray[np.integer]) -> None:
        """Many more tokens, faster than appending them one by one."""
        ids = _checked(tokens, self.index.vocab_size)
        if not len(ids):
            return
        self._cache.extend(ids)
        if len(ids) >= self.index.max_order:
            self._ranges = self.index.nowhere()
        for token in ids[-self.index.max_order :].tolist():
            self._ranges = self.index.advance(self._ranges, token)

    def fork(self) -> MemoryState:
        """An independent copy, for another sample or a draft that may be dropped."""
        other = object.__new__(MemoryState)
        other.index = self.index
        other._cache = self._cache.fork()
        other._ranges = self._ranges
        return other

    def recall(self) -> Recall:
        """Distributions over the next token."""
        from_corpus = self.index.match(self._ranges)
        from_file = self._cache.match()
        corpus = self._from_corpus(from_corpus)
        cache = self._from_both(from_corpus, from_file, self._cache.counts)
        return Recall(corpus, cache, bucket_of(cache, max(from_corpus.length, from_file.length)))

    def _from_corpus(self, match: Match) -> NDArray[np.float32]:
        gains, rest = interpolation(match.totals, _escapes(match, CORPUS_FACTORS))
        recalled = match.weighted(gains, self.index.vocab_size)
        recalled += rest * self.index.base
        return recalled.astype(np.float32)

    def _from_both(
        self, corpus: Match, file: Match, counts: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The file's tokens without context, then order by order the corpus and the file."""
        num_orders = max(corpus.length, file.length)
        totals = np.zeros((num_orders + 1, 2))
        escapes = np.zeros((num_orders + 1, 2))
        totals[0, 1] = counts.sum()
        escapes[0, 1] = CACHE_FACTOR_0 * np.count_nonzero(counts)
        for column, (match, factors) in enumerate(
            ((corpus, CORPUS_FACTORS), (file, CACHE_FACTORS))
        ):
            totals[1 : match.length + 1, column] = match.totals
            escapes[1 : match.length + 1, column] = _escapes(match, factors)
        flat_gains, rest = interpolation(totals.ravel(), escapes.ravel())
        gains = flat_gains.reshape(num_orders + 1, 2)
        recalled = corpus.weighted(gains[1 : corpus.length + 1, 0], len(counts))
        recalled += file.weighted(gains[1 : file.length + 1, 1], len(counts))
        recalled += rest * self.index.base + gains[0, 1] * counts
        return recalled.astype(np.float32)


def _escapes(match: Match, factors: Floats) -> Floats:
    orders = np.minimum(np.arange(match.length), len(factors) - 1)
    return match.num_different * factors[orders]


def _checked(tokens: Sequence[int] | NDArray[np.integer], vocab_size: int) -> NDArray[np.int64]:
    ids = np.asarray(tokens, np.int64)
    if len(ids) and not (0 <= ids.min() and ids.max() < vocab_size):
        raise _outside(int(ids.min()), int(ids.max()), vocab_size)
    return ids


def _outside(lowest: int, highest: int, vocab_size: int) -> ValueError:
    return ValueError(
        f"token ids must be from 0 to {vocab_size - 1}, got {lowest} to {highest}; "
        "was the text encoded with another nest's tokenizer?"
    )
