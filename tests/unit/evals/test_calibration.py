"""A threshold takes the answers that are likelier right than wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.evals.calibration import calibrate


def test_threshold_lies_between_the_right_and_the_wrong():
    found = calibrate([0.9, 0.2, 0.8, 0.4], [True, False, True, False])
    assert found.threshold == pytest.approx(0.6)
    assert found.accepted == 0.5
    assert found.accepted_correct == 1.0


def test_nothing_is_taken_when_most_answers_are_wrong():
    assert calibrate([0.9, 0.8, 0.7], [False, True, False]).threshold == 1.0
    assert calibrate([], []).threshold == 1.0


def test_everything_is_taken_when_most_answers_are_right():
    found = calibrate([0.9, 0.5, 0.4, 0.3], [True, False, True, True])
    assert found.threshold <= 0.3
    assert found.accepted == 1.0


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7]), st.booleans()), min_size=1))
def test_no_other_threshold_is_more_useful(pairs):
    def utility(threshold: float) -> int:
        return sum(1 if right else -1 for sure, right in pairs if sure >= threshold)

    found = calibrate([sure for sure, _ in pairs], [right for _, right in pairs])
    best = max(utility(threshold) for threshold in (0.0, 0.2, 0.4, 0.6, 1.0))
    assert utility(found.threshold) == best
