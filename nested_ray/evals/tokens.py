"""Bits per byte and next-token accuracy of every predictor on the same forced tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nested_ray.evals.forced import ForcedWindow, Probabilities
from nested_ray.evals.predictors import Predictors
from nested_ray.evals.report import ENSEMBLE, MEMORY, Predictor
from nested_ray.inference.ensemble import normalise_weights
from nested_ray.inference.sampling import SMALLEST_PROBABILITY
from nested_ray.memory import MixingWeights

# T tokens of a window, V vocabulary, E experts


@dataclass(frozen=True)
class TokenScores:
    """Sums over tokens, so that windows add up."""

    nats: float = 0.0
    num_right: int = 0
    num_tokens: int = 0
    num_bytes: int = 0

    def __add__(self, other: TokenScores) -> TokenScores:
        return TokenScores(
            self.nats + other.nats,
            self.num_right + other.num_right,
            self.num_tokens + other.num_tokens,
            self.num_bytes + other.num_bytes,
        )

    @property
    def bits_per_byte(self) -> float:
        return self.nats / math.log(2) / self.num_bytes if self.num_bytes else math.nan

    @property
    def accuracy(self) -> float:
        return self.num_right / self.num_tokens if self.num_tokens else math.nan


def score_tokens(window: ForcedWindow, predictors: Predictors) -> dict[Predictor, TokenScores]:
    """Every predictor's scores on one window."""
    found = predictor_distributions(window, predictors)
    return {predictor: score(probs_TV, window) for predictor, probs_TV in found.items()}


def predictor_distributions(
    window: ForcedWindow, predictors: Predictors
) -> dict[Predictor, Probabilities]:
    """(T, V) by predictor; the ensemble mixes the levels' distributions."""
    memory = window.corpus_TV, window.cache_TV
    found: dict[Predictor, Probabilities] = {
        (MEMORY, True): mix_rows(predictors.memory_mixing, window.buckets_T, *memory)
    }
    for name, level_TV in window.levels.items():
        mixing = predictors.engines[name].memory.mixing
        found[name, False] = level_TV
        found[name, True] = mix_rows(mixing, window.buckets_T, *memory, level_TV)
    shares = normalise_weights(predictors.ensemble_weights, list(window.levels))
    for with_memory in (False, True):
        found[ENSEMBLE, with_memory] = sum(
            np.float32(share) * found[name, with_memory] for name, share in shares.items()
        )
    return found


def mix_rows(
    mixing: MixingWeights, buckets_T: NDArray[np.int64], *experts: Probabilities
) -> Probabilities:
    """`mixing.mix` for every token of a window: (T, V)."""
    weights_TE = mixing.weights[buckets_T].astype(np.float32)
    mixed_TV = weights_TE[:, :1] * experts[0]
    for number, expert_TV in enumerate(experts[1:], start=1):
        mixed_TV += weights_TE[:, number, None] * expert_TV
    return mixed_TV


def score(probs_TV: Probabilities, window: ForcedWindow) -> TokenScores:
    gold_T = window.gold_T
    probs_T = probs_TV[np.arange(len(gold_T)), gold_T].astype(np.float64)
    return TokenScores(
        nats=float(-np.log(np.maximum(probs_T, SMALLEST_PROBABILITY)).sum()),
        num_right=int((probs_TV.argmax(axis=1) == gold_T).sum()),
        num_tokens=len(gold_T),
        num_bytes=window.num_bytes,
    )
