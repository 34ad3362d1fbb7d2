"""Which version of the nest serves a request: arms of an A/B split, sticky by unit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LevelFacts:
    """What the router knows of one level of one nest version."""

    name: str
    kind: str
    weight: float
    """Share in the ensemble as registered."""
    threshold: float | None = None
    """Confidence from which its answers are good enough, as calibrated on held-out code."""


@dataclass(frozen=True)
class Arm:
    """A served nest version and its share of the units."""

    nest: str
    version: int
    levels: tuple[LevelFacts, ...]
    """From the smallest to the largest."""
    digest: str
    """Of every file of the version: numbers start again in another registry, contents do not."""
    name: str | None = None
    """None when everybody is served the same version."""
    weight: float = 1.0

    @property
    def label(self) -> str:
        return f"{self.nest}@{self.version}"

    @property
    def level_names(self) -> tuple[str, ...]:
        return tuple(level.name for level in self.levels)


def assign(arms: Sequence[Arm], *, salt: str, unit: str) -> Arm:
    """The unit's arm: always the same for the same arms, salt and unit."""
    if len(arms) == 1:
        return arms[0]
    point = position(salt=salt, unit=unit) * sum(arm.weight for arm in arms)
    for arm in arms:
        point -= arm.weight
        if point < 0:
            return arm
    return arms[-1]


def position(*, salt: str, unit: str) -> float:
    """Where a unit stands in [0, 1), evenly spread.

    sha256 and not a CRC: a CRC is linear, so that two salts would give correlated assignments.
    """
    digest = hashlib.sha256(f"{salt}:{unit}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
