"""Plans: which slots of held-out code the level has to read, and what each of them stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nested_ray.bugs.doubt import KindModel
from nested_ray.bugs.samples import FileSlots, Sample, draw_samples
from nested_ray.bugs.slots import SlotKind

GATE_PER_1000_LINES: dict[SlotKind, float] = {
    "name": 10.0,
    "operator": 6.0,
    "literal": 6.0,
    "arguments": 18.0,
}
"""Slots of right code that the level has to read: two seconds of one core per 1,000 lines.

Most of them are arguments: there the level and memory know much that the ranker does not.
"""
MIN_SLOTS = 30
"""A kind with fewer slots is left out."""


@dataclass(frozen=True)
class Half:
    """One half of the validation split."""

    num_lines: int
    clean: dict[SlotKind, list[Sample]]
    bugs: dict[SlotKind, list[Sample]]
    """Every slot once more, with one bug."""

    @property
    def kinds(self) -> tuple[SlotKind, ...]:
        return tuple(self.clean)


def split_evenly(files: Sequence[FileSlots]) -> tuple[list[FileSlots], list[FileSlots]]:
    """Two halves of about as many lines; no file is in both."""
    halves: tuple[list[FileSlots], list[FileSlots]] = ([], [])
    num_lines = [0, 0]
    for file in sorted(files, key=lambda file: -file.num_lines):
        smaller = 0 if num_lines[0] <= num_lines[1] else 1
        halves[smaller].append(file)
        num_lines[smaller] += file.num_lines
    return halves


def read_half(
    files: Sequence[FileSlots], models: Mapping[SlotKind, KindModel], rng: np.random.Generator
) -> Half:
    """Samples of every kind that has enough slots."""
    clean: dict[SlotKind, list[Sample]] = {}
    bugs: dict[SlotKind, list[Sample]] = {}
    for kind, model in models.items():
        right, wrong = draw_samples(files, kind, model, rng)
        if min(len(right), len(wrong)) >= MIN_SLOTS:
            clean[kind], bugs[kind] = right, wrong
    return Half(sum(file.num_lines for file in files), clean, bugs)


@dataclass(frozen=True)
class Plan:
    """What the level reads of a half."""

    clean: list[tuple[Sample, float]]
    """Slots of right code over the gates, with the number of slots that each one stands for."""
    bugs: list[Sample]
    """Bugs over the gates, equally many of each kind."""
    gate_recall: dict[SlotKind, float]
    """Share of bugs over the gate."""
    num_lines: int


def thin(
    samples: Sequence[Sample],
    count: int,
    doubt: Callable[[Sample], float],
    rng: np.random.Generator,
) -> list[tuple[Sample, float]]:
    """At most `count` samples: the most doubtful ones, which may become alarms, and some of the rest."""
    ordered = sorted(samples, key=doubt, reverse=True)
    if len(ordered) <= count:
        return [(sample, 1.0) for sample in ordered]
    top, rest = ordered[: count // 2], ordered[count // 2 :]
    drawn = draw(rest, count - len(top), rng)
    weight = len(rest) / max(len(drawn), 1)
    return [*((sample, 1.0) for sample in top), *((sample, weight) for sample in drawn)]


def draw(samples: Sequence[Sample], count: int, rng: np.random.Generator) -> list[Sample]:
    picked = sorted(rng.permutation(len(samples))[:count].tolist())
    return [samples[index] for index in picked]
