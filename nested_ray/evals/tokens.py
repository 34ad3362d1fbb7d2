"""Bits per byte and next-token accuracy of every predictor on the same forced tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping
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


@dataclass(frozen=True)
class Prediction:
    """What one predictor says before each token of a window."""

    probs_TV: Probabilities
    choice_TV: Probabilities
    """Its likeliest token is the guess; `probs_TV` itself unless guesses are weighted otherwise."""


def score_tokens(window: ForcedWindow, predictors: Predictors) -> dict[Predictor, TokenScores]:
    """Every predictor's scores on one window."""
    found = predict(window, predictors)
    return {predictor: score(prediction, window) for predictor, prediction in found.items()}


def predict(window: ForcedWindow, predictors: Predictors) -> dict[Predictor, Prediction]:
    """The ensemble mixes the levels' distributions by their weights."""
    memory = window.corpus_TV, window.cache_TV
    memory_TV = mix_rows(predictors.memory_mixing, window.buckets_T, *memory)
    found: dict[Predictor, Prediction] = {(MEMORY, True): Prediction(memory_TV, memory_TV)}
    for name, level_TV in window.levels.items():
        mixing = predictors.level_mixing(name)
        probs_TV = mix_rows(mixing.probabilities, window.buckets_T, *memory, level_TV)
        choice_TV = probs_TV
        if mixing.choice is not None:
            choice_TV = mix_rows(mixing.choice, window.buckets_T, *memory, level_TV)
        found[name, False] = Prediction(level_TV, level_TV)
        found[name, True] = Prediction(probs_TV, choice_TV)
    shares = normalise_weights(predictors.ensemble_weights, list(window.levels))
    for with_memory in (False, True):
        parts = {name: found[name, with_memory] for name in shares}
        found[ENSEMBLE, with_memory] = Prediction(
            weighted_sum(shares, {name: part.probs_TV for name, part in parts.items()}),
            weighted_sum(shares, {name: part.choice_TV for name, part in parts.items()}),
        )
    return found


def weighted_sum(
    shares: Mapping[str, float], distributions: Mapping[str, Probabilities]
) -> Probabilities:
    parts = [np.float32(share) * distributions[name] for name, share in shares.items()]
    return np.sum(parts, axis=0)


def mix_rows(
    mixing: MixingWeights, buckets_T: NDArray[np.int64], *experts: Probabilities
) -> Probabilities:
    """`mixing.mix` for every token of a window: (T, V)."""
    weights_TE = mixing.weights[buckets_T].astype(np.float32)
    mixed_TV = weights_TE[:, :1] * experts[0]
    for number, expert_TV in enumerate(experts[1:], start=1):
        mixed_TV += weights_TE[:, number, None] * expert_TV
    return mixed_TV


def score(prediction: Prediction, window: ForcedWindow) -> TokenScores:
    gold_T = window.gold_T
    probs_T = prediction.probs_TV[np.arange(len(gold_T)), gold_T].astype(np.float64)
    return TokenScores(
        nats=float(-np.log(np.maximum(probs_T, SMALLEST_PROBABILITY)).sum()),
        num_right=int((prediction.choice_TV.argmax(axis=1) == gold_T).sum()),
        num_tokens=len(gold_T),
        num_bytes=window.num_bytes,
    )
