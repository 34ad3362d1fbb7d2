"""The benchmark of injected bugs: a predictor that knows, one that does not, and the arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from nested_ray.bugs.reading import CodeReading
from nested_ray.bugs.slots import Slot
from nested_ray.evals.bug_cases import Found
from nested_ray.evals.bug_predictors import FrequencyPredictor, RandomPredictor, Verdict
from nested_ray.evals.bug_report import DetectionPoint, Share, render, render_markdown
from nested_ray.evals.semantics import evaluate_bugs, threshold_for_alarms, threshold_for_recall

TEXT = """
def area(width, height, depth):
    total = width * height + 1
    if total == 0 and depth < 2:
        return place(width, depth)
    return total


def edge(left, right):
    both = join(left, right)
    return both if left != right else left
"""


@dataclass(frozen=True)
class Document:
    path: str
    language: str
    text: str


DOCUMENTS = [
    Document(f"file_{number}.py", "python", TEXT.replace("area", f"area_{number}"))
    for number in range(3)
]


class Oracle:
    """Knows the right files by heart."""

    name = "oracle"

    def judge(self, path: str, code: CodeReading, slots: Sequence[Slot]) -> list[Verdict]:
        (right,) = [document.text for document in DOCUMENTS if document.path == path]
        verdicts = []
        for slot in slots:
            options = range(1, len(slot.options))
            fixing = [option for option in options if slot.replaced(code.text, option) == right]
            verdicts.append(Verdict(slot, fixing[0] if fixing else 1, float(bool(fixing))))
        return verdicts


def test_who_knows_the_code_finds_and_repairs_everything_without_an_alarm() -> None:
    steps = []
    report = evaluate_bugs(
        [Oracle(), RandomPredictor(), FrequencyPredictor()],
        DOCUMENTS,
        max_lines=1_000,
        bugs_per_file=2,
        seed=0,
        advance=lambda done, total, detail: steps.append((done, total)),
    )
    oracle, chance, _ = report.predictors
    assert report.num_files == 3
    assert sum(report.num_bugs.values()) == oracle.in_file["all"].total >= 15
    for kind in ("all", "name", "operator", "literal", "arguments"):
        assert oracle.in_function[kind].value == oracle.in_file[kind].value == 1
        assert oracle.repaired[kind].value == 1
        for point in oracle.at_recall[kind]:
            assert point.num_alarms == 0
            assert point.balanced_precision == 1
    assert chance.in_function["all"].value < 0.5
    assert steps[-1][0] == steps[-1][1] == len(steps)
    assert report.caption in render_markdown(report)
    assert len(list(render(report))) == 2


def test_same_seed_same_bugs() -> None:
    first, again = (
        evaluate_bugs([RandomPredictor()], DOCUMENTS, max_lines=20, bugs_per_file=1, seed=4)
        for _ in range(2)
    )
    assert first == again
    assert first.num_files == 2


def test_thresholds_stand_between_values() -> None:
    values = [0.9, 0.8, 0.3, 0.1]
    assert sum(value >= threshold_for_alarms(values, 2.5) for value in values) == 2
    assert sum(value >= threshold_for_alarms(values, 0.5) for value in values) == 0
    assert sum(value >= threshold_for_alarms(values, 9) for value in values) == 4


def test_recall_is_reached_by_the_highest_threshold_that_does() -> None:
    cases = [
        Found("name", score, True, True, True, score, score) for score in (0.9, 0.5, 0.4, 0.2, 0.1)
    ]
    assert threshold_for_recall(cases, 0.2) == 0.9
    assert threshold_for_recall(cases, 0.6) == 0.4


def test_precision_follows_the_rate_of_bugs() -> None:
    point = DetectionPoint(0.5, Share(6, 10), 1.0, 5, 0.9)
    # 0.6 found of one bug in 1,000 lines, beside one false alarm: 0.6 / 1.6.
    assert point.precision_at(1.0) == pytest.approx(0.375)
    assert point.precision_at(10.0) == pytest.approx(6 / 7)


def test_intervals_are_wilsons() -> None:
    # Wilson (1927) for 8 of 10: 0.490 to 0.943.
    low, high = Share(8, 10).interval
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert Share(0, 0).interval == (0.0, 1.0)
