"""What followed a context at every order, and how the orders become one distribution.

Orders are interpolated from the shortest to the longest (Witten-Bell with a factor): with N
occurrences of the context, T different tokens after them and c(w) of them w,

    p_n(w) = (c(w) + a T p_{n-1}(w)) / (N + a T).

That is linear in the counts, so an occurrence that matches n tokens simply carries the sum of the
gains of orders 1..n: one weighted histogram gives the whole distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Bits of a match length (at most 32) and of a document's number in a sort key.
_LENGTH_BITS = 6
_DOCUMENT_BITS = 32


@dataclass(frozen=True)
class Continuations:
    """Different tokens and in how many documents each one came, for one order."""

    tokens: Ints
    counts: Floats

    @classmethod
    def count(
        cls, tokens: NDArray[np.integer], documents: NDArray[np.integer], vocab_size: int
    ) -> Continuations:
        """Histogram of ids; those outside the vocabulary (ends of documents) are left out."""
        pairs = np.unique(tokens.astype(np.int64) << _DOCUMENT_BITS | documents)
        counts = np.bincount(pairs >> _DOCUMENT_BITS, minlength=vocab_size)[:vocab_size]
        different = np.flatnonzero(counts)
        return cls(different, counts[different].astype(np.float64))


@dataclass(frozen=True)
class Match:
    """Continuations of one context in one text (the corpus, or the file being edited).

    The shortest orders may come counted (`large`). Every other occurrence is one token, its weight and
    the number of tokens before it that match.
    """

    large: Sequence[Continuations]
    tokens: Ints
    lengths: Ints
    weights: Floats
    totals: Floats
    """N by order, from 1; the last one is the longest context that something followed."""
    num_different: Floats
    """T by order."""

    @classmethod
    def of(
        cls,
        large: Sequence[Continuations] = (),
        tokens: Ints | None = None,
        lengths: Ints | None = None,
        weights: Floats | None = None,
    ) -> Match:
        tokens = np.empty(0, np.int64) if tokens is None else tokens
        lengths = np.empty(0, np.int64) if lengths is None else lengths
        weights = np.ones(len(tokens)) if weights is None else weights
        first = len(large) + 1
        totals = np.bincount(lengths, weights)[::-1].cumsum()[::-1][first:]
        different = _longest_per_token(tokens, lengths)[::-1].cumsum()[::-1][first:]
        return cls(
            large,
            tokens,
            lengths,
            weights,
            np.array([part.counts.sum() for part in large] + totals.tolist()),
            np.array([len(part.tokens) for part in large] + different.tolist(), np.float64),
        )

    @property
    def length(self) -> int:
        """Tokens of the longest context that was seen before something."""
        return len(self.totals)

    def weighted(self, gains: Floats, vocab_size: int) -> Floats:
        """Sum over orders of gain times count, for every token: (V,)."""
        carried = np.concatenate([np.zeros(len(self.large) + 1), gains[len(self.large) :].cumsum()])
        tokens = [self.tokens, *(part.tokens for part in self.large)]
        weights = [carried[self.lengths] * self.weights]
        weights += [gain * part.counts for gain, part in zip(gains, self.large, strict=False)]
        if not len(gains):
            return np.zeros(vocab_size)
        return np.bincount(
            np.concatenate(tokens), weights=np.concatenate(weights), minlength=vocab_size
        ).astype(np.float64, copy=False)


def once_per_document(tokens: Ints, documents: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """Each token once per document, with its longest match there.

    What one document repeats says little about the next one: counting documents instead of
    occurrences takes 1 % off the bits per byte.
    """
    keys = ((tokens << _DOCUMENT_BITS | documents) << _LENGTH_BITS) | lengths
    keys = _last_of_each(np.sort(keys))
    return keys >> (_DOCUMENT_BITS + _LENGTH_BITS), keys & ((1 << _LENGTH_BITS) - 1)


def interpolation(totals: Floats, escapes: Floats) -> tuple[Floats, float]:
    """Gain of a count at each step, and what is left for the distribution below the first step.

    Steps are in the order in which they are applied; `totals` are N and `escapes` a T of the formula
    above. A step without occurrences changes nothing.
    """
    sums = totals + escapes
    empty = sums <= 0
    sums[empty] = 1.0
    kept = np.where(empty, 1.0, escapes / sums)
    after = np.append(kept[::-1].cumprod()[::-1], 1.0)
    return np.where(empty, 0.0, after[1:] / sums), float(after[0])


def _longest_per_token(tokens: Ints, lengths: Ints) -> Ints:
    """How many different tokens have their longest match at each length."""
    keys = _last_of_each(np.sort(tokens << _LENGTH_BITS | lengths))
    return np.bincount(keys & ((1 << _LENGTH_BITS) - 1))


def _last_of_each(keys: Ints) -> Ints:
    """Of sorted keys that differ in their lowest bits (the length) only, the last one."""
    is_last = np.ones(len(keys), bool)
    is_last[:-1] = (keys[1:] ^ keys[:-1]) >> _LENGTH_BITS > 0
    return keys[is_last]
