"""Candidates are chosen by the weighted mean probability that the levels give them."""

from __future__ import annotations

import math

import pytest

from nested_ray.inference.base import TokenLogprob
from nested_ray.inference.confidence import confidence
from nested_ray.inference.ensemble import choose_candidate


def test_score_is_the_weighted_sum_of_geometric_mean_probabilities():
    logprobs = {
        "syntax": [math.log(0.8), math.log(0.1)],
        "architecture": [math.log(0.2), math.log(0.9)],
    }
    choice = choose_candidate(logprobs, {"syntax": 0.3, "architecture": 0.2, "unused": 0.5})
    assert choice.scores == pytest.approx((0.6 * 0.8 + 0.4 * 0.2, 0.6 * 0.1 + 0.4 * 0.9))
    assert choice.index == 0
    assert choice.contributions == pytest.approx({"syntax": 0.48, "architecture": 0.08})


def test_empty_candidate_scores_nothing_and_ties_go_to_the_earlier_one():
    choice = choose_candidate({"one": [-math.inf, -1.0, -1.0]}, {"one": 1.0})
    assert choice.scores[0] == 0
    assert choice.index == 1


@pytest.mark.parametrize(
    ("logprobs", "weights"),
    [
        ({}, {"one": 1.0}),
        ({"one": []}, {"one": 1.0}),
        ({"one": [-1.0], "two": [-1.0, -2.0]}, {"one": 1.0, "two": 1.0}),
        ({"one": [-1.0]}, {"two": 1.0}),
    ],
)
def test_judgements_that_cannot_be_compared_are_refused(logprobs, weights):
    with pytest.raises(ValueError, match=r"level|weight"):
        choose_candidate(logprobs, weights)


def test_confidence_is_the_geometric_mean_of_the_chosen_probabilities():
    tokens = [TokenLogprob(1, "a", math.log(0.5)), TokenLogprob(2, "b", math.log(0.125))]
    assert confidence(tokens) == pytest.approx(0.25)
    assert confidence([]) == 0.0
