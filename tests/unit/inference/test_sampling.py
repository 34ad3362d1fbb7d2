"""Token choice: against hand-computed values, and the frequencies of many draws."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nested_ray.inference.base import SamplingParams
from nested_ray.inference.sampling import (
    apply_temperature,
    choose_token,
    keep_nucleus,
    renormalise,
    top_tokens,
)

PROBS = np.array([0.1, 0.4, 0.3, 0.2], dtype=np.float32)


def draw(params: SamplingParams, count: int) -> np.ndarray:
    rng = np.random.default_rng(7)
    counts = np.bincount([choose_token(PROBS, params, rng) for _ in range(count)], minlength=4)
    return counts / count


def test_temperature_zero_takes_the_most_likely_token():
    assert draw(SamplingParams(temperature=0), 5).tolist() == [0, 1, 0, 0]


def test_draws_follow_the_distribution():
    assert draw(SamplingParams(temperature=1), 20_000) == pytest.approx(PROBS, abs=0.02)


def test_temperature_is_a_power_of_the_probabilities():
    squares = np.array([0.01, 0.16, 0.09, 0.04]) / 0.30
    assert apply_temperature(PROBS, 0.5) == pytest.approx(squares, abs=1e-6)
    cold = apply_temperature(np.array([1e-30, 2e-30, 0], dtype=np.float32), 0.01)
    assert cold == pytest.approx([0, 1, 0], abs=1e-6)


@pytest.mark.parametrize("temperature", [5e-324, 1e-310, 1e-100, 1e-5, 1e-3])
def test_the_coldest_temperature_keeps_a_distribution(temperature):
    probs = np.array([0.5, 0, 0.25, 0.25], dtype=np.float32)
    assert apply_temperature(probs, temperature) == pytest.approx([1, 0, 0, 0], abs=1e-9)
    assert apply_temperature(probs[1:], temperature) == pytest.approx([0, 0.5, 0.5], abs=1e-9)


@pytest.mark.parametrize("temperature", [0, 5e-324, 1e-310, 9e-4])
def test_near_zero_every_draw_is_the_first_of_the_likeliest(temperature):
    probs = np.array([0.2, 0.4, 0.4, 0], dtype=np.float32)
    rng = np.random.default_rng(7)
    params = SamplingParams(temperature=temperature)
    assert {choose_token(probs, params, rng) for _ in range(20)} == {1}


def test_nucleus_is_the_smallest_set_that_holds_top_p():
    assert keep_nucleus(PROBS.astype(float), 0.6) == pytest.approx([0, 0.4, 0.3, 0])
    assert keep_nucleus(PROBS.astype(float), 0.0) == pytest.approx([0, 0.4, 0, 0])
    frequencies = draw(SamplingParams(temperature=1, top_p=0.6), 20_000)
    assert frequencies == pytest.approx([0, 4 / 7, 3 / 7, 0], abs=0.02)


def test_same_seed_gives_the_same_draws():
    params = SamplingParams(temperature=1.3)
    one, two = np.random.default_rng(5), np.random.default_rng(5)
    assert [choose_token(PROBS, params, one) for _ in range(50)] == [
        choose_token(PROBS, params, two) for _ in range(50)
    ]


def test_forbidden_mass_is_spread_over_the_allowed_tokens():
    allowed = np.array([True, False, True, True])
    assert renormalise(PROBS, allowed) == pytest.approx([1 / 6, 0, 1 / 2, 1 / 3], abs=1e-6)


def test_allowed_tokens_without_mass_share_it_evenly():
    allowed = np.array([True, False, True, False])
    nowhere = np.array([0, 1, 0, 0], dtype=np.float32)
    assert renormalise(nowhere, allowed) == pytest.approx([0.5, 0, 0.5, 0])


def test_top_tokens_come_likeliest_first():
    assert top_tokens(PROBS, 2) == [
        (1, pytest.approx(math.log(0.4), abs=1e-6)),
        (2, pytest.approx(math.log(0.3), abs=1e-6)),
    ]
    assert top_tokens(PROBS, 0) == []
