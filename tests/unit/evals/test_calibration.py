"""A level's answer is passed on where the next level is worth the wait, judged by confidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.evals.calibration import ESCALATION_COST, Outcomes, best_threshold, calibrate


def outcomes(confidence: list[float], similarity: list[float]) -> Outcomes:
    return Outcomes(
        np.array(confidence), np.array(similarity), np.array([one == 1.0 for one in similarity])
    )


def test_unsure_answers_go_on_where_the_next_level_is_better():
    small = outcomes([0.9, 0.2, 0.8, 0.4], [1.0, 0.3, 1.0, 0.5])
    large = outcomes([0.9, 0.9, 0.9, 0.9], [1.0, 1.0, 0.9, 0.9])
    first, last = calibrate([small, large])
    assert first.threshold == pytest.approx(0.6)
    assert (first.accepted, first.accepted_correct) == (0.5, 1.0)
    assert (last.threshold, last.accepted, last.accepted_correct) == (0.0, 1.0, 0.5)


def test_every_answer_is_taken_where_no_larger_level_is_better():
    same = outcomes([0.5, 0.3, 0.1], [0.4, 0.2, 1.0])
    assert [found.threshold for found in calibrate([same, same, same])] == [0.0, 0.0, 0.0]


def test_gain_below_the_cost_of_waiting_is_not_worth_it():
    small = outcomes([0.5, 0.3], [0.5, 0.5])
    for gain, threshold in ((ESCALATION_COST / 2, 0.0), (ESCALATION_COST * 2, 1.0)):
        large = outcomes([0.5, 0.3], [0.5 + gain, 0.5 + gain])
        assert calibrate([small, large])[0].threshold == threshold


def test_middle_level_is_passed_over_when_only_the_last_is_better():
    weak = outcomes([0.5, 0.3], [0.1, 0.1])
    strong = outcomes([0.5, 0.3], [0.9, 0.9])
    assert [found.threshold for found in calibrate([weak, weak, strong])] == [1.0, 1.0, 0.0]


def test_no_lines_no_reason_to_pass_anything_on():
    assert [found.threshold for found in calibrate([outcomes([], []), outcomes([], [])])] == [0, 0]


@given(
    st.lists(
        st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7]), st.integers(min_value=-3, max_value=3)),
        min_size=1,
    )
)
def test_no_other_threshold_gains_more(pairs):
    def gained(threshold: float) -> int:
        return sum(gain for sure, gain in pairs if sure >= threshold)

    found = best_threshold(
        np.array([sure for sure, _ in pairs]), np.array([float(gain) for _, gain in pairs])
    )
    assert gained(found) == max(gained(threshold) for threshold in (0.0, 0.2, 0.4, 0.6, 1.0))
