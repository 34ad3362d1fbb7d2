"""FileCache: the text of the file being edited, and where its last tokens stood before.

For every position the number of tokens before it that equal the text's last tokens is kept; one
more token updates all of them in one pass. Copying three arrays makes a fork.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nested_ray.memory.orders import Floats, Match

_BOUNDARY = -1
_FIRST_CAPACITY = 1_024
# An occurrence d tokens back weighs (d + 8) ** -0.25.
_RECENCY_OFFSET = 8.0


class FileCache:
    """Append-only token text with all matches of its end, up to `max_order` tokens long."""

    def __init__(
        self, vocab_size: int, max_order: int, *, suffix: Sequence[int] | NDArray[np.int64] = ()
    ) -> None:
        """`suffix` is text of the same file after the place of editing; it is remembered too."""
        self.max_order = max_order
        self.counts = np.zeros(vocab_size, np.float32)
        """(V,) how often each token stands in the file."""
        self._tokens = np.empty(_FIRST_CAPACITY, np.int32)
        self._num_tokens = 0
        self._matched = np.zeros(0, np.uint8)
        if len(suffix):
            self.extend(suffix)
            self._end_text()

    def append(self, token: int) -> None:
        num_tokens = self._num_tokens
        self._reserve(num_tokens + 1)
        matched = np.zeros(num_tokens + 1, np.uint8)
        if num_tokens:
            longer = np.minimum(self._matched, self.max_order - 1)
            longer += 1
            np.multiply(longer, self._tokens[:num_tokens] == token, out=matched[1:])
        self._tokens[num_tokens] = token
        self._num_tokens = num_tokens + 1
        self._matched = matched
        self.counts[token] += 1

    def extend(self, tokens: Sequence[int] | NDArray[np.int64]) -> None:
        """Append many tokens in one go: a few passes over the text, not one per token."""
        self._reserve(self._num_tokens + len(tokens))
        added = self._tokens[self._num_tokens : self._num_tokens + len(tokens)]
        added[:] = tokens
        self._num_tokens += len(tokens)
        self._matched = self._match_all()
        self.counts += np.bincount(added, minlength=len(self.counts)).astype(np.float32)

    def fork(self) -> FileCache:
        """An independent copy."""
        other = object.__new__(FileCache)
        other.max_order = self.max_order
        other.counts = self.counts.copy()
        other._tokens = self._tokens.copy()
        other._num_tokens = self._num_tokens
        other._matched = self._matched  # replaced by every append, never changed
        return other

    def match(self) -> Match:
        """What followed the text's last tokens when they stood here before, at every order."""
        positions = np.flatnonzero(self._matched)
        tokens = self._tokens[positions].astype(np.int64)
        if len(tokens) and tokens.min() == _BOUNDARY:
            positions, tokens = positions[tokens != _BOUNDARY], tokens[tokens != _BOUNDARY]
        lengths = self._matched[positions].astype(np.int64)
        return Match.of((), tokens, lengths, _recency(self._num_tokens - positions))

    def _end_text(self) -> None:
        """Put a boundary that equals no token, so that no match runs across it."""
        self._reserve(self._num_tokens + 1)
        self._tokens[self._num_tokens] = _BOUNDARY
        self._num_tokens += 1
        self._matched = np.zeros(self._num_tokens, np.uint8)

    def _match_all(self) -> NDArray[np.uint8]:
        text = self._tokens[: self._num_tokens]
        matched = np.zeros(len(text), np.uint8)
        if not len(text):
            return matched
        ends = np.flatnonzero(text[:-1] == text[-1])
        for length in range(1, self.max_order + 1):
            matched[ends + 1] = length
            ends = ends[ends >= length]
            if not len(ends):
                break
            ends = ends[text[ends - length] == text[-1 - length]]
        return matched

    def _reserve(self, num_tokens: int) -> None:
        if num_tokens > len(self._tokens):
            larger = np.empty(2 * num_tokens, np.int32)
            larger[: self._num_tokens] = self._tokens[: self._num_tokens]
            self._tokens = larger


def _recency(distances: NDArray[np.int64]) -> Floats:
    return 1.0 / np.sqrt(np.sqrt(distances + _RECENCY_OFFSET))
