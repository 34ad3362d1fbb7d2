"""Calibration: how much each signal weighs, and what confidence their sum deserves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from nested_ray.bugs.judge import NUM_VALUES, Calibrated, KindJudge, sigmoid, weighted
from nested_ray.bugs.slots import KINDS, SlotKind
from nested_ray.config.review_training import ReviewTrainingConfig

# N samples, W values of a comparison

PULL = 0.1
"""Inverse strength of the pull of weights to 0 (scikit-learn's C): the samples are few."""


@dataclass(frozen=True)
class Judged:
    """Comparisons of samples over the gates."""

    kinds: list[SlotKind]
    is_bug: list[bool]
    values: list[list[float]]
    populations: dict[SlotKind, tuple[int, float]]
    """By kind: slots of right code over the gate, and the share of bugs over it."""
    num_lines: int

    @classmethod
    def empty(cls, num_lines: int) -> Judged:
        return cls([], [], [], {}, num_lines)

    def add(self, kind: SlotKind, is_bug: bool, values: list[float]) -> None:
        self.kinds.append(kind)
        self.is_bug.append(is_bug)
        self.values.append(values)

    def rows(self, kind: SlotKind, *, is_bug: bool) -> list[int]:
        return [
            row
            for row, (other, bug) in enumerate(zip(self.kinds, self.is_bug, strict=True))
            if other == kind and bug == is_bug
        ]


def fit_weights(judged: Judged) -> dict[SlotKind, tuple[float, ...]]:
    """Weights of a comparison and an intercept, by kind.

    One regression for all kinds, in which each kind has its own trust in the ranker: signals of the
    level mean the same everywhere, and a kind alone has too few samples for all weights.
    """
    kinds: list[SlotKind] = [kind for kind in KINDS if kind in judged.populations]
    if len(set(judged.is_bug)) < 2:
        return {}
    values_NW = np.array(judged.values)
    scale_W = np.maximum(values_NW.std(axis=0), 1e-6)
    own = np.array([[kind == other for other in kinds] for kind in judged.kinds], float)
    ratios = own * (values_NW[:, :1] / scale_W[0])
    model = LogisticRegression(C=PULL, max_iter=1000)
    model.fit(np.concatenate([values_NW / scale_W, own, ratios], axis=1), judged.is_bug)
    fitted_W = np.asarray(model.coef_)[0]
    shared_W, biases, trusts = np.split(fitted_W, [NUM_VALUES, NUM_VALUES + len(kinds)])
    fitted: dict[SlotKind, tuple[float, ...]] = {}
    for kind, bias, trust in zip(kinds, biases, trusts, strict=True):
        weights_W = shared_W / scale_W
        weights_W[0] += trust / scale_W[0]
        fitted[kind] = (*weights_W.tolist(), float(np.asarray(model.intercept_)[0] + bias))
    return fitted


def calibrate(
    judged: Judged,
    weights: Mapping[SlotKind, tuple[float, ...]],
    gates: Mapping[SlotKind, float],
    config: ReviewTrainingConfig,
) -> tuple[dict[SlotKind, KindJudge], Calibrated]:
    """Confidence by kind at the stated bug rate, and the threshold that keeps the alarm budget."""
    kinds: dict[SlotKind, KindJudge] = {}
    clean: list[tuple[float, float]] = []
    bugs: dict[str, tuple[NDArray[np.float64], float]] = {}
    per_kind = config.bugs_per_1000_lines * judged.num_lines / 1000 / max(len(weights), 1)
    for kind, kind_weights in weights.items():
        sums = {
            is_bug: np.array(
                [
                    weighted(kind_weights, judged.values[row])
                    for row in judged.rows(kind, is_bug=is_bug)
                ]
            )
            for is_bug in (False, True)
        }
        if not all(len(part) for part in sums.values()):
            continue
        num_clean, gate_recall = judged.populations[kind]
        slope, shift = fit_sigmoid(sums[False], sums[True], num_clean, per_kind * gate_recall)
        kinds[kind] = KindJudge(gates[kind], kind_weights, slope, shift)
        confidence = {is_bug: confidences(part, slope, shift) for is_bug, part in sums.items()}
        weight = num_clean / len(confidence[False])
        clean += [(float(value), weight) for value in confidence[False]]
        bugs[kind] = confidence[True], gate_recall
    threshold, alarms = choose_threshold(
        clean, config.max_alarms_per_1000_lines * judged.num_lines / 1000
    )
    recall = {
        kind: round(float((values >= threshold).mean() * share), 4)
        for kind, (values, share) in bugs.items()
    }
    return kinds, Calibrated(
        bugs_per_1000_lines=config.bugs_per_1000_lines,
        threshold=threshold,
        alarms_per_1000_lines=round(alarms * 1000 / max(judged.num_lines, 1), 4),
        recall=recall,
        num_lines=judged.num_lines,
    )


def fit_sigmoid(
    clean: NDArray[np.float64], bugs: NDArray[np.float64], num_clean: float, num_bugs: float
) -> tuple[float, float]:
    """Platt's slope and shift, with so many slots of right code and bugs behind the samples."""
    sums = np.concatenate([clean, bugs])
    is_bug = np.repeat([0, 1], [len(clean), len(bugs)])
    # Equal weights first, then the shift for the true odds: a regression over few, very unequal
    # weights would forget the bugs.
    model = LogisticRegression(C=1.0, class_weight="balanced").fit(sums[:, None], is_bug)
    slope = max(float(np.asarray(model.coef_)[0, 0]), 0.0)
    odds = max(num_bugs, 1e-9) / max(num_clean, 1e-9)
    return slope, float(np.asarray(model.intercept_)[0] + np.log(odds))


def confidences(sums: NDArray[np.float64], slope: float, shift: float) -> NDArray[np.float64]:
    return np.array([sigmoid(slope * value + shift) for value in sums.tolist()])


def choose_threshold(clean: list[tuple[float, float]], max_alarms: float) -> tuple[float, float]:
    """The lowest confidence that lets at most so many alarms through, and how many it does."""
    alarms, threshold = 0.0, 1.0
    for confidence, weight in sorted(clean, reverse=True):
        if alarms + weight > max_alarms:
            return float(np.nextafter(confidence, 2.0)), alarms
        alarms += weight
        threshold = confidence
    return threshold, alarms
