"""Calibration: how much level and memory add to a doubt, what confidence the sum deserves, the threshold.

All in log-odds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from nested_ray.bugs.rescoring import NUM_SIGNALS
from nested_ray.bugs.slots import SlotKind

# N samples, W signals, K kinds

SHARED_PULL = 2.0
OWN_PULL = 8.0
"""Pull to 0 of weights that all kinds share, and of what a kind's own differ by: samples are few."""
SLOPE_PULL, SHIFT_PULL, OWN_SHIFT_PULL = 1.0, 0.05, 0.2
"""Pull of calibration to saying nothing: slope 1, shift 0, and the same for all kinds."""


def prior_of(
    num_slots: int, num_lines: int, *, bugs_per_1000_lines: float, num_kinds: int
) -> float:
    """Log-odds that a slot is wrong when so many bugs are spread evenly over the kinds."""
    num_bugs = bugs_per_1000_lines * num_lines / 1000 / num_kinds
    share = min(num_bugs / max(num_slots, 1), 0.5)
    return float(np.log(share / (1 - share)))


def fit_signals(
    kinds: Sequence[SlotKind],
    known_N: NDArray[np.float64],
    signals_NW: NDArray[np.float64],
    is_bug_N: NDArray[np.bool_],
) -> dict[SlotKind, tuple[float, ...]]:
    """Weights of the signals by kind, on top of known log-odds; both classes count the same.

    Logistic regression with an offset, drawn to 0 and each kind's to the shared ones: where the
    level knows nothing, the ranker's word stands.
    """
    names = sorted(set(kinds))
    own_NK = np.array([[kind == name for name in names] for kind in kinds], float)
    columns = [signals_NW, *(signals_NW * own_NK[:, [number]] for number in range(len(names)))]
    design = np.concatenate([*columns, np.ones((len(kinds), 1))], axis=1)
    pulls = np.repeat([SHARED_PULL, OWN_PULL, 0.01], [NUM_SIGNALS, NUM_SIGNALS * len(names), 1])
    balance_N = np.where(is_bug_N, 0.5 / max(is_bug_N.sum(), 1), 0.5 / max((~is_bug_N).sum(), 1))
    balance_N *= len(is_bug_N)
    sign_N = np.where(is_bug_N, 1.0, -1.0)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = sign_N * (known_N + design @ weights)
        value = (balance_N * np.logaddexp(0, -margins)).sum() + (pulls * weights**2).sum() / 2
        gradient = design.T @ (-balance_N * sign_N / (1 + np.exp(np.minimum(margins, 500))))
        return float(value), gradient + pulls * weights

    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B").x
    shared = found[:NUM_SIGNALS]
    own = found[NUM_SIGNALS:-1].reshape(len(names), NUM_SIGNALS)
    return {name: tuple((shared + own[row]).tolist()) for row, name in enumerate(names)}


def gate_of(clean_doubts: Sequence[float], count: float) -> float:
    """The doubt that so many slots of right code exceed."""
    ordered = sorted(clean_doubts, reverse=True)
    return ordered[min(int(count), len(ordered) - 1)]


def fit_sigmoid(
    kinds: Sequence[SlotKind],
    known_N: NDArray[np.float64],
    weights_N: NDArray[np.float64],
    is_bug_N: NDArray[np.bool_],
) -> tuple[float, dict[SlotKind, float]]:
    """Platt's slope for all kinds and each one's shift; weights say how many slots a sample stands for.

    At the stated bug rate a bug counts for far less than one, so the tail decides, where alarms are.
    """
    names = sorted(set(kinds))
    own_NK = np.array([[kind == name for name in names] for kind in kinds], float)
    sign_N = np.where(is_bug_N, 1.0, -1.0)

    def loss(values: NDArray[np.float64]) -> float:
        slope, shift, own_K = values[0], values[1], values[2:]
        margins = sign_N * (slope * known_N + shift + own_NK @ own_K)
        pull = (
            SLOPE_PULL * (slope - 1) ** 2 + SHIFT_PULL * shift**2 + OWN_SHIFT_PULL * own_K @ own_K
        )
        return float((weights_N * np.logaddexp(0, -margins)).sum() + pull)

    start = np.array([1.0, *([0.0] * (len(names) + 1))])
    limits = [(0, 3), *([(-12, 12)] * (len(names) + 1))]
    found = minimize(loss, start, method="L-BFGS-B", bounds=limits).x
    return float(found[0]), {
        name: float(found[1] + own) for name, own in zip(names, found[2:], strict=True)
    }


def choose_threshold(clean: Sequence[tuple[float, float]], max_alarms: float) -> float:
    """The lowest confidence that at most so many slots of right code reach, each with its weight."""
    alarms, threshold = 0.0, 1.0
    for confidence, weight in sorted(clean, reverse=True):
        alarms += weight
        if alarms > max_alarms:
            return float(np.nextafter(confidence, 2.0))
        threshold = confidence
    return threshold


def shares_over(
    threshold: float,
    confidences: Mapping[SlotKind, Sequence[float]],
    gate_recall: Mapping[SlotKind, float],
) -> dict[str, float]:
    """Share of bugs posted, by kind; those under the gate are not."""
    return {
        kind: round(
            sum(value >= threshold for value in values) / len(values) * gate_recall[kind], 4
        )
        if values
        else 0.0
        for kind, values in confidences.items()
    }
