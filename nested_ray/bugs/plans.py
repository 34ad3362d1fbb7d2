"""Plans: which slots of held-out code the level has to read, and what each of them stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nested_ray.bugs.ranker import Ranker
from nested_ray.bugs.samples import FileSlots, Sample, draw_samples
from nested_ray.bugs.slots import SlotKind

GATE_PER_1000_LINES: dict[SlotKind, float] = {
    "name": 8.0,
    "operator": 4.0,
    "literal": 4.0,
    "arguments": 4.0,
}
"""Slots of right code that the level has to read: a second of one core per 1,000 lines."""

MIN_SLOTS = 30
"""A kind with fewer slots in a half of the validation split is left out."""


def split_evenly(files: Sequence[FileSlots]) -> tuple[list[FileSlots], list[FileSlots]]:
    """Two halves of about as many lines; no file is in both."""
    halves: tuple[list[FileSlots], list[FileSlots]] = ([], [])
    num_lines = [0, 0]
    for file in sorted(files, key=lambda file: -file.num_lines):
        smaller = 0 if num_lines[0] <= num_lines[1] else 1
        halves[smaller].append(file)
        num_lines[smaller] += file.num_lines
    return halves


def fit_gates(
    files: Sequence[FileSlots], rankers: Mapping[SlotKind, Ranker], seed: int
) -> dict[SlotKind, float]:
    """The ratio that GATE_PER_1000_LINES slots of right code exceed, by kind."""
    num_lines = sum(file.num_lines for file in files)
    gates: dict[SlotKind, float] = {}
    for kind, ranker in rankers.items():
        clean, _ = draw_samples(files, kind, ranker, np.random.default_rng(seed))
        if len(clean) >= MIN_SLOTS:
            ratios = sorted((sample.ratio for sample in clean), reverse=True)
            passing = min(int(GATE_PER_1000_LINES[kind] * num_lines / 1000), len(ratios) - 1)
            gates[kind] = ratios[passing]
    return gates


@dataclass(frozen=True)
class KindPlan:
    """Which samples of a kind are read by the level, and what each one stands for."""

    clean: list[Sample]
    bugs: list[Sample]
    num_clean: int
    """Slots of right code over the gate; `clean` are drawn from them."""
    gate_recall: float
    """Share of bugs over the gate; `bugs` are drawn from those."""


@dataclass(frozen=True)
class Plan:
    """What is read of one half of the validation split."""

    kinds: dict[SlotKind, KindPlan]
    num_lines: int

    @property
    def num_samples(self) -> int:
        return sum(len(kind.clean) + len(kind.bugs) for kind in self.kinds.values())


def plan(
    files: Sequence[FileSlots],
    rankers: Mapping[SlotKind, Ranker],
    gates: Mapping[SlotKind, float],
    max_samples: int,
    seed: int,
) -> Plan:
    """Samples over the gates, at most `max_samples`, right code and bugs alike."""
    rng = np.random.default_rng(seed)
    kinds: dict[SlotKind, KindPlan] = {}
    share = sum(GATE_PER_1000_LINES[kind] for kind in gates) or 1.0
    for kind, gate in gates.items():
        clean, bugs = draw_samples(files, kind, rankers[kind], rng)
        if len(clean) < MIN_SLOTS or not bugs:
            continue
        over = [[sample for sample in part if sample.ratio >= gate] for part in (clean, bugs)]
        most = max(int(max_samples * GATE_PER_1000_LINES[kind] / share / 2), 8)
        chosen = [draw(part, most, rng) for part in over]
        if all(chosen):
            kinds[kind] = KindPlan(chosen[0], chosen[1], len(over[0]), len(over[1]) / len(bugs))
    return Plan(kinds, sum(file.num_lines for file in files))


def draw(samples: Sequence[Sample], count: int, rng: np.random.Generator) -> list[Sample]:
    picked = sorted(rng.permutation(len(samples))[:count].tolist())
    return [samples[index] for index in picked]
