"""Cases: injected bugs with the slots around them, and what a predictor says of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nested_ray.bugs.candidates import find_slots
from nested_ray.bugs.inject import InjectedBug, inject
from nested_ray.bugs.reading import CodeReading, read_code
from nested_ray.bugs.samples import CodeDocument
from nested_ray.bugs.slots import Slot, SlotKind
from nested_ray.evals.bug_predictors import BugPredictor, Verdict


@dataclass(frozen=True)
class Case:
    """One bug, with the slots of the function it was put into."""

    document: int
    bug: InjectedBug
    code: CodeReading
    """Of the file with the bug."""
    slots: list[Slot]
    target: Slot


@dataclass(frozen=True)
class Found:
    """What one predictor said of a case."""

    kind: SlotKind
    score: float
    """Of the slot that holds the bug."""
    is_repaired: bool
    """The option proposed there is the one that was replaced."""
    first_in_function: bool
    first_in_file: bool
    best_in_function: float
    """Highest score in the function, wherever it lies."""
    best_of_kind: float
    """The same among slots of the bug's kind."""


def choose_documents(
    documents: Sequence[CodeDocument], max_lines: int, seed: int
) -> list[CodeDocument]:
    chosen, num_lines = [], 0
    for index in np.random.default_rng(seed).permutation(len(documents)).tolist():
        if num_lines < max_lines:
            chosen.append(documents[index])
            num_lines += documents[index].text.count("\n") + 1
    return chosen


def make_cases(document: int, code: CodeReading, per_kind: int, seed: int) -> list[Case]:
    """Bugs of one file, each read anew from the text that holds it."""
    cases = []
    for bug in inject(code.text, code.language, seed=seed, per_kind=per_kind):
        mutated = read_code(bug.text, code.language)
        slots = find_slots(mutated)
        target = slot_of(slots, bug)
        if target is None:
            continue  # the bug left nothing to choose between, as an argument equal to its neighbour
        around = mutated.function_at(target.position)
        inside = [slot for slot in slots if mutated.function_at(slot.position) == around]
        cases.append(Case(document, bug, mutated, inside, target))
    return cases


def slot_of(slots: Sequence[Slot], bug: InjectedBug) -> Slot | None:
    for slot in slots:
        if slot.kind == bug.kind and slot.span.start == bug.slot.span.start:
            return slot
    return None


def judge_case(
    predictor: BugPredictor, path: str, case: Case, clean: Sequence[Sequence[Verdict]]
) -> Found:
    """The function that holds the bug is judged anew; the rest of the file as it was judged without it."""
    verdicts = predictor.judge(path, case.code, case.slots)
    (own,) = [verdict for verdict in verdicts if verdict.slot is case.target] or [None]
    beside = [verdict for verdict in verdicts if verdict.slot is not case.target]
    others = [verdict.score for verdict in beside]
    same_kind = [verdict.score for verdict in beside if verdict.slot.kind == case.bug.kind]
    scope = case.code.table.scopes[case.code.function_at(case.target.position)].span
    elsewhere = [
        verdict.score
        for verdict in clean[case.document]
        if not scope.start <= verdict.slot.span.start < scope.end
    ]
    value = own.score if own is not None else -np.inf
    repaired = own is not None and own.slot.options[own.option] == case.bug.right
    first = value > max(others, default=-np.inf)
    return Found(
        kind=case.bug.kind,
        score=value,
        is_repaired=repaired,
        first_in_function=first,
        first_in_file=first and value > max(elsewhere, default=-np.inf),
        best_in_function=max([value, *others]),
        best_of_kind=max([value, *same_kind]),
    )
