"""How far a level is believed beside memory: fitted on validation tokens, never on others.

Two sets of weights, because likelihood and choice are different questions. A weak level makes
memory's probabilities better long before its own guesses are better than memory's. So the weights of
the distribution maximise likelihood, and the weights by which a greedy answer chooses its tokens are
memory's own until validation code shows that the level's changes are right more often than wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# N tokens, C candidates of a token, E experts (corpus, cache, level), B buckets

TOP_CANDIDATES = 4
"""Of every expert: a mixture's most likely token is one of some expert's first few."""

MIN_GAIN_NATS = 2.0
"""A level earns a bucket by more than its extra weight gains by chance (Akaike: 1 nat), doubled."""

FACTORS = (2.0, 1.5, 1.0, 0.75, 0.5, 0.375, 0.25, 0.125)
"""Of the level's fitted weight; each is tried as the weight by which tokens are chosen."""

MIN_Z = 2.0
"""Changes must be right more often than wrong by this many standard deviations of a fair coin."""


@dataclass(frozen=True)
class ForcedTokens:
    """What three experts said of N validation tokens."""

    buckets_N: NDArray[np.int64]
    gold_NE: NDArray[np.floating]
    """Probability of the token that came."""
    candidates_NCE: NDArray[np.floating]
    """Probabilities of each token's likeliest candidates."""
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


def keep_gains(
    memory_BE: NDArray[np.float64], fitted_BE: NDArray[np.float64], tokens: ForcedTokens
) -> NDArray[np.float64]:
    """The fitted weights where they gain likelihood beyond chance, elsewhere memory's own.

    memory_BE are memory's weights with 0 for the level.
    """
    kept_BE = memory_BE.copy()
    for bucket in np.unique(tokens.buckets_N):
        gold_NE = tokens.of_bucket(bucket).gold_NE
        gain_nats = np.log(gold_NE @ fitted_BE[bucket]) - np.log(gold_NE @ memory_BE[bucket])
        if gain_nats.sum() >= MIN_GAIN_NATS:
            kept_BE[bucket] = fitted_BE[bucket]
    return kept_BE


def fit_choice(
    memory_BE: NDArray[np.float64], fitted_BE: NDArray[np.float64], tokens: ForcedTokens
) -> NDArray[np.float64]:
    """Weights by which the likeliest token is chosen: where a level may overrule memory.

    Each bucket takes the multiple of the fitted weight that corrects most guesses on balance, if that
    passes a sign test; a bucket in which none does chooses as memory does.
    """
    chosen_BE = memory_BE.copy()
    for bucket in np.unique(tokens.buckets_N):
        inside = tokens.of_bucket(bucket)
        was_right_N = guesses_right(inside, memory_BE[bucket])
        best = 0
        for factor in FACTORS:
            weights_E = scale_level(fitted_BE[bucket], factor)
            is_right_N = guesses_right(inside, weights_E)
            won = int((is_right_N & ~was_right_N).sum())
            lost = int((was_right_N & ~is_right_N).sum())
            if won - lost > best and is_significant(won, lost):
                best = won - lost
                chosen_BE[bucket] = weights_E
    return chosen_BE


def scale_level(weights_E: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """The level's weight times `factor`, at most 1; the others share what is left as before."""
    level = min(factor * weights_E[-1], 1.0)
    others_E = weights_E[:-1]
    total = others_E.sum()
    if total <= 0:
        return weights_E
    return np.append(others_E * (1 - level) / total, level)


def guesses_right(tokens: ForcedTokens, weights_E: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the mixture's likeliest candidate is the token that came, for every token."""
    best_N = (tokens.candidates_NCE @ weights_E).argmax(axis=1)
    return tokens.is_gold_NC[np.arange(len(best_N)), best_N]


def is_significant(won: int, lost: int, min_z: float = MIN_Z) -> bool:
    """Sign test: more won than a fair coin would give."""
    return won > lost and won - lost >= min_z * np.sqrt(won + lost)
