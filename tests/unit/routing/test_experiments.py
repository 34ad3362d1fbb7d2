from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nested_ray.config.routing import RoutingConfig
from nested_ray.routing import assign
from nested_ray.routing.experiments import position

from .conftest import arm


def test_position_is_the_sha256_of_salt_and_unit():
    expected = int(hashlib.sha256(b"ab:user-1").hexdigest()[:14], 16) / 16**14
    assert position(salt="ab", unit="user-1") == expected


@given(st.text(), st.text())
def test_position_is_in_the_unit_interval(salt, unit):
    assert 0 <= position(salt=salt, unit=unit) < 1


@given(st.text(min_size=1))
def test_a_unit_always_meets_the_same_arm(unit):
    arms = [arm(1, "a", 1), arm(2, "b", 3)]
    assert assign(arms, salt="ab", unit=unit) is assign(arms, salt="ab", unit=unit)


@given(st.text(min_size=1))
def test_growing_an_arm_moves_no_unit_out_of_it(unit):
    """Ramp of the first arm from 10 to 50 %."""
    small = assign([arm(1, "a", 1), arm(2, "b", 9)], salt="ab", unit=unit)
    large = assign([arm(1, "a", 5), arm(2, "b", 5)], salt="ab", unit=unit)
    assert small.name != "a" or large.name == "a"


def test_shares_follow_the_weights():
    arms = [arm(1, "a", 1), arm(2, "b", 3)]
    units = [assign(arms, salt="ab", unit=f"user-{i}").name for i in range(4_000)]
    # three standard errors of a share of 0.25 among 4,000
    assert units.count("a") / 4_000 == pytest.approx(0.25, abs=3 * (0.25 * 0.75 / 4_000) ** 0.5)


def test_another_salt_is_an_independent_assignment():
    arms = [arm(1, "a", 1), arm(2, "b", 1)]
    units = [f"user-{i}" for i in range(4_000)]
    same = sum(
        assign(arms, salt="one", unit=unit) is assign(arms, salt="two", unit=unit) for unit in units
    )
    assert same / 4_000 == pytest.approx(0.5, abs=3 * (0.25 / 4_000) ** 0.5)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ([{"name": "a", "version": "champion", "weight": 1}], "two or more arms"),
        (
            [
                {"name": "a", "version": "champion", "weight": 1},
                {"name": "a", "version": "candidate", "weight": 1},
            ],
            "arm names must differ",
        ),
    ],
)
def test_a_split_needs_two_arms_with_names_of_their_own(split, message):
    with pytest.raises(ValidationError, match=message):
        RoutingConfig(ab_split=split)


def test_a_version_number_may_be_written_as_a_number():
    config = RoutingConfig.from_values(
        {
            "ab_split": [
                {"name": "a", "version": 3, "weight": 1},
                {"name": "b", "version": "candidate", "weight": 1},
            ]
        }
    )
    assert [arm.version for arm in config.ab_split] == ["3", "candidate"]
