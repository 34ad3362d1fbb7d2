"""From what levels wrote to the confidence from which each one's answer is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nested_ray.evals.report import Calibration

# N lines

ESCALATION_COST = 0.02
"""What asking the next level must gain in similarity (0 to 1) to be worth the wait."""

NOBODY = 1.0
"""The threshold where no answer is worth taking: everything goes on to the next level."""


@dataclass(frozen=True)
class Outcomes:
    """What one level wrote for the same N lines as every other."""

    confidence_N: NDArray[np.float64]
    similarity_N: NDArray[np.float64]
    """To the line that stands there, in [0, 1]."""
    exact_N: NDArray[np.bool_]


def calibrate(levels: Sequence[Outcomes]) -> list[Calibration]:
    """A threshold for every level of a cascade, smallest level first.

    From the largest level down: an answer is passed on where that makes the line more similar by
    more than ESCALATION_COST, judged by confidence alone. Where a larger level is no better, every
    answer is taken; the largest level's always is.
    """
    found: list[Calibration] = []
    passed_on_N: NDArray[np.float64] | None = None
    for outcomes in reversed(levels):
        if passed_on_N is None:
            threshold = 0.0
        else:
            gains_N = outcomes.similarity_N - passed_on_N
            threshold = best_threshold(outcomes.confidence_N, gains_N)
        taken_N = outcomes.confidence_N >= threshold
        found.append(describe(threshold, outcomes, taken_N))
        otherwise_N = outcomes.similarity_N if passed_on_N is None else passed_on_N
        passed_on_N = np.where(taken_N, outcomes.similarity_N, otherwise_N) - ESCALATION_COST
    return found[::-1]


def best_threshold(confidence_N: NDArray[np.float64], gains_N: NDArray[np.float64]) -> float:
    """The confidence above which the gains add up to most; halfway to the next lower one seen.

    Ties go to the lower threshold: the cheaper answer.
    """
    order_N = np.argsort(-confidence_N, kind="stable")
    sorted_N = confidence_N[order_N]
    total_N = np.cumsum(gains_N[order_N])
    # A threshold cannot separate equal confidences: only the last of each run is a choice.
    total_N[:-1][sorted_N[:-1] == sorted_N[1:]] = -np.inf
    if not len(total_N) or total_N.max() < 0:
        return NOBODY if len(total_N) else 0.0
    last = int(np.flatnonzero(total_N == total_N.max())[-1])
    if last == len(order_N) - 1:
        return 0.0
    return float((sorted_N[last] + sorted_N[last + 1]) / 2)


def describe(threshold: float, outcomes: Outcomes, taken_N: NDArray[np.bool_]) -> Calibration:
    num_taken = int(taken_N.sum())
    return Calibration(
        threshold=threshold,
        accepted=num_taken / max(len(taken_N), 1),
        accepted_correct=float(outcomes.exact_N[taken_N].mean()) if num_taken else 0.0,
    )
