"""SemanticsReport: how well injected bugs were found, as values, a table and Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

Z = 1.96
"""Of a normal distribution: intervals hold with 95 %."""


@dataclass(frozen=True)
class Share:
    """A share of counted cases."""

    count: int
    total: int

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> Share:
        values = [bool(value) for value in outcomes]
        return cls(sum(values), len(values))

    @property
    def value(self) -> float:
        return self.count / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        if not self.total:
            return 0.0, 1.0
        p, n = self.value, self.total
        centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
        reach = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
        return max(centre - reach, 0.0), min(centre + reach, 1.0)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.value:.1f} ({100 * low:.0f}–{100 * high:.0f})"


@dataclass(frozen=True)
class DetectionPoint:
    """One threshold."""

    threshold: float
    recall: Share
    alarms_per_1000_lines: float
    """In right code."""
    num_alarms: int
    balanced_precision: float
    """Where every second function holds a bug, as published benchmarks have it."""

    def precision_at(self, bugs_per_1000_lines: float) -> float:
        """Share of true findings where code has so many bugs."""
        true = self.recall.value * bugs_per_1000_lines
        return true / (true + self.alarms_per_1000_lines) if true else 0.0


@dataclass(frozen=True)
class BugScores:
    """What one predictor reached, by kind of bug and for `all`."""

    name: str
    in_function: dict[str, Share]
    """The bug's slot is the most suspicious one of its function."""
    in_file: dict[str, Share]
    repaired: dict[str, Share]
    """First in its function, and what was replaced is proposed."""
    at_recall: dict[str, tuple[DetectionPoint, ...]]
    at_alarms: dict[str, tuple[DetectionPoint, ...]]


@dataclass(frozen=True)
class SemanticsReport:
    """Every predictor on the same bugs and lines."""

    predictors: tuple[BugScores, ...]
    num_files: int
    num_lines: int
    num_bugs: dict[str, int]
    seed: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def caption(self) -> str:
        bugs = ", ".join(f"{count} {kind}" for kind, count in self.num_bugs.items())
        return f"{self.num_files} held-out files, {self.num_lines:,} lines; bugs: {bugs}; seed {self.seed}"


LOCALISATION = ("bug", "predictor", "first in function %", "first in file %", "and repaired %")
DETECTION = (
    "bug",
    "predictor",
    "at",
    "recall %",
    "alarms / 1,000 lines",
    "precision %, half with bug",
    "precision %, 1 bug / 1,000 lines",
)


def localisation_rows(report: SemanticsReport) -> Iterator[tuple[str, ...]]:
    for kind in ("all", *report.num_bugs):
        for scores in report.predictors:
            shares = (scores.in_function[kind], scores.in_file[kind], scores.repaired[kind])
            if shares[0].total:
                yield (kind, scores.name, *(str(share) for share in shares))


def detection_rows(report: SemanticsReport) -> Iterator[tuple[str, ...]]:
    for kind in ("all", *report.num_bugs):
        for scores in report.predictors:
            for label, points in (("recall", scores.at_recall), ("alarms", scores.at_alarms)):
                for point in points.get(kind, ()):
                    yield (
                        kind,
                        scores.name,
                        f"given {label}",
                        str(point.recall),
                        f"{point.alarms_per_1000_lines:.2f}",
                        f"{100 * point.balanced_precision:.1f}",
                        f"{100 * point.precision_at(1.0):.1f}",
                    )


def render(report: SemanticsReport) -> Iterator[Table]:
    """The tables for a terminal."""
    yield make_table("Injected bugs: the place", LOCALISATION, localisation_rows(report))
    table = make_table("Injected bugs: the alarm", DETECTION, detection_rows(report))
    table.caption = report.caption
    yield table


def make_table(title: str, headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(title=title)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number < 2 else "right")
    for row in rows:
        table.add_row(*row)
    return table


def render_markdown(report: SemanticsReport) -> str:
    """The same tables for pages under `benchmarks/`."""
    parts = []
    for headings, rows in (
        (LOCALISATION, localisation_rows(report)),
        (DETECTION, detection_rows(report)),
    ):
        lines = [headings, ("---",) * len(headings), *rows]
        parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join(parts) + f"\n\n{report.caption}\n"
