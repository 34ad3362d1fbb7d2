"""Injected bugs in held-out code: who finds the place, who knows what belongs there, at how many alarms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nested_ray.bugs.candidates import find_slots
from nested_ray.bugs.reading import CodeReading, read_code
from nested_ray.bugs.samples import CodeDocument
from nested_ray.bugs.slots import KINDS
from nested_ray.evals.bug_cases import Found, choose_documents, judge_case, make_cases
from nested_ray.evals.bug_predictors import BugPredictor, Verdict
from nested_ray.evals.bug_report import BugScores, DetectionPoint, SemanticsReport, Share
from nested_ray.languages import get_language

Advance = Callable[[int, int | None, str], None]

RECALLS = (0.2, 0.4, 0.6)
ALARM_BUDGETS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Alarms per 1,000 lines of right code at which recall is stated."""


def evaluate_bugs(
    predictors: Sequence[BugPredictor],
    documents: Sequence[CodeDocument],
    *,
    max_lines: int,
    bugs_per_file: int,
    seed: int,
    advance: Advance | None = None,
) -> SemanticsReport:
    """Every predictor on the same bugs and the same right code.

    Files are taken in an order drawn by the seed until they have `max_lines`; each gets up to
    `bugs_per_file` bugs of each kind, one at a time.
    """
    chosen = choose_documents(documents, max_lines, seed)
    codes = [read_code(document.text, get_language(document.language)) for document in chosen]
    cases = [
        case
        for number, code in enumerate(codes)
        for case in make_cases(number, code, bugs_per_file, seed)
    ]
    num_lines = sum(code.text.count("\n") + 1 for code in codes)
    total = len(predictors) * (len(codes) + len(cases))
    done = 0

    def step(detail: str) -> None:
        nonlocal done
        done += 1
        if advance is not None:
            advance(done, total, detail)

    scores: list[BugScores] = []
    for predictor in predictors:
        clean = []
        for document, code in zip(chosen, codes, strict=True):
            clean.append(predictor.judge(document.path, code, find_slots(code)))
            step(f"{predictor.name}: right code")
        found = []
        for case in cases:
            found.append(judge_case(predictor, chosen[case.document].path, case, clean))
            step(f"{predictor.name}: injected bugs")
        scores.append(score(predictor.name, codes, clean, found, num_lines))
    kinds = {kind: sum(case.bug.kind == kind for case in cases) for kind in KINDS}
    return SemanticsReport(tuple(scores), len(codes), num_lines, kinds, seed)


def score(
    name: str,
    codes: Sequence[CodeReading],
    clean: Sequence[Sequence[Verdict]],
    found: Sequence[Found],
    num_lines: int,
) -> BugScores:
    """Shares and curves of one predictor."""
    by_kind: dict[str, list[Found]] = {
        "all": list(found),
        **{
            kind: [
                replace(case, best_in_function=case.best_of_kind)
                for case in found
                if case.kind == kind
            ]
            for kind in KINDS
        },
    }
    alarms = {
        kind: [
            verdict.score
            for verdicts in clean
            for verdict in verdicts
            if kind in ("all", verdict.slot.kind)
        ]
        for kind in by_kind
    }
    functions = {kind: function_scores(codes, clean, kind) for kind in by_kind}
    return BugScores(
        name=name,
        in_function={
            kind: Share.of(case.first_in_function for case in cases)
            for kind, cases in by_kind.items()
        },
        in_file={
            kind: Share.of(case.first_in_file for case in cases) for kind, cases in by_kind.items()
        },
        repaired={
            kind: Share.of(case.first_in_function and case.is_repaired for case in cases)
            for kind, cases in by_kind.items()
        },
        at_recall={
            kind: tuple(
                point_at(
                    threshold_for_recall(cases, recall),
                    cases,
                    alarms[kind],
                    functions[kind],
                    num_lines,
                )
                for recall in RECALLS
            )
            for kind, cases in by_kind.items()
            if cases
        },
        at_alarms={
            kind: tuple(
                point_at(
                    threshold_for_alarms(alarms[kind], budget * num_lines / 1000),
                    cases,
                    alarms[kind],
                    functions[kind],
                    num_lines,
                )
                for budget in ALARM_BUDGETS
            )
            for kind, cases in by_kind.items()
            if cases
        },
    )


def function_scores(
    codes: Sequence[CodeReading], clean: Sequence[Sequence[Verdict]], kind: str
) -> list[float]:
    """The highest score of slots of a kind (or `all`) in every function of right code that has a slot."""
    highest: list[float] = []
    for code, verdicts in zip(codes, clean, strict=True):
        best: dict[int, float] = {}
        for verdict in verdicts:
            around = code.function_at(verdict.slot.position)
            counts = kind in ("all", verdict.slot.kind)
            best[around] = max(best.get(around, -np.inf), verdict.score if counts else -np.inf)
        highest += best.values()
    return highest


def threshold_for_recall(cases: Sequence[Found], recall: float) -> float:
    """The highest threshold at which so large a share of the bugs is found."""
    values = sorted((case.score for case in cases), reverse=True)
    return values[max(int(np.ceil(recall * len(values))) - 1, 0)]


def threshold_for_alarms(alarms: Sequence[float], budget: float) -> float:
    """The lowest threshold with at most so many alarms."""
    values = sorted(alarms, reverse=True)
    allowed = int(budget)
    return float(np.nextafter(values[allowed], np.inf)) if allowed < len(values) else -np.inf


def point_at(
    threshold: float,
    cases: Sequence[Found],
    alarms: Sequence[float],
    functions: Sequence[float],
    num_lines: int,
) -> DetectionPoint:
    """Recall and alarms at a threshold; precision where every second function holds a bug.

    A function with a bug counts as found when the bug's slot is over the threshold, and every other
    function over it as a false alarm.
    """
    hits = [case.score >= threshold for case in cases]
    false_share = float(np.mean([value >= threshold for value in functions])) if functions else 0.0
    recall = float(np.mean(hits)) if hits else 0.0
    beside = [
        not hit and case.best_in_function >= threshold
        for hit, case in zip(hits, cases, strict=True)
    ]
    wrong = false_share + (float(np.mean(beside)) if beside else 0.0)
    return DetectionPoint(
        threshold=threshold,
        recall=Share.of(hits),
        alarms_per_1000_lines=sum(value >= threshold for value in alarms)
        * 1000
        / max(num_lines, 1),
        num_alarms=sum(value >= threshold for value in alarms),
        balanced_precision=recall / (recall + wrong) if recall + wrong else 0.0,
    )
