"""From confidences and outcomes to the confidence from which a level's answer is taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nested_ray.evals.report import Calibration

NOBODY = 1.0
"""The threshold when no answer was worth taking: everything goes on to the next level."""


def calibrate(confidences: Sequence[float], correct: Sequence[bool]) -> Calibration:
    """The threshold with the highest utility: +1 for a right answer taken, -1 for a wrong one.

    Maximising it takes an answer where being right is likelier than not. Ties go to the higher
    threshold; it lies halfway to the next lower confidence seen, so that equal answers pass.
    """
    if not confidences:
        return Calibration(threshold=NOBODY, accepted=0.0, accepted_correct=0.0)
    order = np.argsort(-np.asarray(confidences), kind="stable")
    sorted_confidences = np.asarray(confidences, dtype=float)[order]
    right = np.cumsum(np.asarray(correct, dtype=float)[order])
    counts = np.arange(1, len(order) + 1)
    utility = 2 * right - counts
    # A threshold cannot separate equal confidences: only the last of each run is a choice.
    is_last_of_run = np.append(sorted_confidences[:-1] > sorted_confidences[1:], True)
    utility[~is_last_of_run] = -np.inf
    best = int(np.argmax(utility))
    if utility[best] <= 0:
        return Calibration(threshold=NOBODY, accepted=0.0, accepted_correct=0.0)
    below = sorted_confidences[best + 1] if best + 1 < len(order) else 0.0
    return Calibration(
        threshold=float((sorted_confidences[best] + below) / 2),
        accepted=float(counts[best] / len(order)),
        accepted_correct=float(right[best] / counts[best]),
    )
