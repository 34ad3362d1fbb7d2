"""How far a level is trusted where memory answers: fitted on validation tokens, never on others.

EM alone maximises likelihood. A weak level can raise that and still change memory's best guess for
the worse, so each bucket's weights are moved from memory's own towards the fitted ones only as far
as the validation tokens support it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# N tokens, C candidates of a token, E experts (corpus, cache, level), M mixtures of memory alone

TOP_CANDIDATES = 4
"""Of every expert: a mixture's most likely token is one of some expert's first few."""

STEPS = np.array([1.0, 0.75, 0.5, 0.375, 0.25, 0.125, 0.0625])
"""Shares of the way from memory's weights to the fitted ones, the farthest first."""

MIN_GAIN_NATS = 2.0
"""A level earns a bucket by more than its two extra weights gain by chance (Akaike: one each)."""

SIGN_TEST_Z = 1.0
"""Changed guesses must be right more often than wrong by this many standard deviations."""


@dataclass(frozen=True)
class ForcedTokens:
    """What three experts said of N validation tokens."""

    buckets_N: NDArray[np.int64]
    gold_NE: NDArray[np.float64]
    """Probability of the token that came."""
    candidates_NCE: NDArray[np.float64]
    """Probabilities of each token's likeliest candidates; unused places are 0."""
    is_gold_NC: NDArray[np.bool_]
    """Which candidate is the token that came."""

    def of_bucket(self, bucket: int) -> ForcedTokens:
        inside_N = self.buckets_N == bucket
        return ForcedTokens(
            self.buckets_N[inside_N],
            self.gold_NE[inside_N],
            self.candidates_NCE[inside_N],
            self.is_gold_NC[inside_N],
        )


def guard_weights(
    memory_BE: NDArray[np.float64], fitted_BE: NDArray[np.float64], tokens: ForcedTokens
) -> NDArray[np.float64]:
    """Weights of corpus, cache and level per bucket that are safe beside memory alone.

    memory_BE are memory's own weights with 0 for the level, fitted_BE the EM fit. Each bucket takes
    the farthest step towards its fit that gains likelihood beyond chance and whose changed guesses
    pass a sign test; a bucket in which none does keeps memory's weights.
    """
    guarded_BE = memory_BE.copy()
    for bucket in np.unique(tokens.buckets_N):
        inside = tokens.of_bucket(int(bucket))
        memory_E, fitted_E = memory_BE[bucket], fitted_BE[bucket]
        for step in STEPS:
            weights_E = memory_E + step * (fitted_E - memory_E)
            if is_supported(memory_E, weights_E, inside):
                guarded_BE[bucket] = weights_E
                break
    return guarded_BE


def is_supported(
    memory_E: NDArray[np.float64], weights_E: NDArray[np.float64], tokens: ForcedTokens
) -> bool:
    """Whether the tokens of one bucket speak for these weights instead of memory's."""
    gain_nats = np.log(tokens.gold_NE @ weights_E) - np.log(tokens.gold_NE @ memory_E)
    if gain_nats.sum() < MIN_GAIN_NATS:
        return False
    was_right_N = guesses_right(tokens, memory_E)
    is_right_N = guesses_right(tokens, weights_E)
    won = int((is_right_N & ~was_right_N).sum())
    lost = int((was_right_N & ~is_right_N).sum())
    return won - lost >= SIGN_TEST_Z * np.sqrt(won + lost)


def guesses_right(tokens: ForcedTokens, weights_E: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the mixture's likeliest candidate is the token that came, for every token."""
    best_N = (tokens.candidates_NCE @ weights_E).argmax(axis=1)
    return tokens.is_gold_NC[np.arange(len(best_N)), best_N]
