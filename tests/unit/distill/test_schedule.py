"""Burn-in, ramp, and how they shrink with a short run."""

import pytest

from nested_ray.config.train import DistillConfig
from nested_ray.distill.schedule import DistillSchedule


def test_nothing_is_said_or_heard_during_burn_in():
    schedule = DistillSchedule(burn_in_steps=3, ramp_steps=4, weight=0.5)
    assert [schedule.factor(step) for step in range(3)] == [0, 0, 0]
    assert [schedule.exchanges(step) for step in range(2, 5)] == [False, True, True]


def test_the_factor_ramps_up_evenly_and_stays():
    schedule = DistillSchedule(burn_in_steps=3, ramp_steps=4, weight=0.5)
    assert [schedule.factor(step) for step in range(3, 10)] == pytest.approx(
        [0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5]
    )


def test_without_burn_in_and_ramp_the_weight_holds_from_the_first_step():
    assert DistillSchedule(burn_in_steps=0, ramp_steps=0, weight=0.5).factor(0) == 0.5


def test_a_short_run_spends_at_most_a_quarter_on_each():
    config = DistillConfig(burn_in_steps=60, ramp_steps=60)
    assert DistillSchedule.for_level(config, 40).burn_in_steps == 10
    assert DistillSchedule.for_level(config, 40).ramp_steps == 10
    assert DistillSchedule.for_level(config, 1000).burn_in_steps == 60
