"""Choosing the next token from a distribution: masks, temperature, nucleus, seed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nested_ray.inference.base import SamplingParams

# V vocabulary

Probabilities = NDArray[np.float32]

SMALLEST_PROBABILITY = 1e-12
"""Floor under logarithms: -27.6 nats, beyond what a mixture with memory can tell from zero."""


def renormalise(probs_V: Probabilities, allowed_V: NDArray[np.bool_]) -> Probabilities:
    """The distribution given that the token is allowed; uniform over them when they had no mass."""
    kept_V = np.where(allowed_V, probs_V, np.float32(0))
    total = float(kept_V.sum(dtype=np.float64))
    if total <= SMALLEST_PROBABILITY:
        kept_V = allowed_V.astype(np.float32)
        total = float(kept_V.sum())
    return kept_V / np.float32(total)


def choose_token(probs_V: Probabilities, params: SamplingParams, rng: np.random.Generator) -> int:
    """Greedy near temperature 0 (ties go to the lowest id), else a draw from the tempered nucleus."""
    if params.is_greedy:
        return int(probs_V.argmax())
    nucleus_V = keep_nucleus(apply_temperature(probs_V, params.temperature), params.top_p)
    cumulative_V = np.cumsum(nucleus_V)
    drawn = int(np.searchsorted(cumulative_V, rng.random() * cumulative_V[-1], side="right"))
    return min(drawn, len(probs_V) - 1)


def apply_temperature(probs_V: Probabilities, temperature: float) -> NDArray[np.float64]:
    """`p ** (1 / temperature)`, normalised; in logarithms, so that a cold one does not underflow."""
    with np.errstate(divide="ignore", over="ignore"):
        logs_V = np.log(probs_V.astype(np.float64))
        # The likeliest becomes 0 before it is divided, so that no temperature makes it infinite.
        powers_V = np.exp((logs_V - logs_V.max()) / temperature)
    return powers_V / powers_V.sum()


def keep_nucleus(probs_V: NDArray[np.float64], top_p: float) -> NDArray[np.float64]:
    """The fewest most likely tokens that hold `top_p` of the mass, not renormalised; others are 0.

    Source: nucleus sampling, arXiv:1904.09751. The most likely token is always kept.
    """
    if top_p >= 1:
        return probs_V
    order_V = np.argsort(-probs_V, kind="stable")
    mass_before_V = np.cumsum(probs_V[order_V]) - probs_V[order_V]
    num_kept = max(1, int((mass_before_V < top_p).sum()))
    nucleus_V = np.zeros_like(probs_V)
    nucleus_V[order_V[:num_kept]] = probs_V[order_V[:num_kept]]
    return nucleus_V


def top_tokens(probs_V: Probabilities, count: int) -> list[tuple[int, float]]:
    """The most likely ids with their natural log-probabilities, likeliest first."""
    if count <= 0:
        return []
    count = min(count, len(probs_V))
    ids = np.argpartition(-probs_V, count - 1)[:count]
    ids = ids[np.argsort(-probs_V[ids], kind="stable")]
    return [(int(token_id), log_probability(float(probs_V[token_id]))) for token_id in ids]


def log_probability(probability: float) -> float:
    """Natural logarithm with a floor, so that it stays finite."""
    return math.log(max(probability, SMALLEST_PROBABILITY))
