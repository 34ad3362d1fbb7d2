"""EvalReport: the closing table of a training run, as values, JSON, a terminal table and Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

FORMAT = 1

MEMORY = "memory"
ENSEMBLE = "ensemble"

Predictor = tuple[str, bool]
"""`memory`, a level's name or `ensemble`; and whether memory is mixed in."""


@dataclass(frozen=True)
class Scores:
    """What one predictor reached on the held-out split."""

    bits_per_byte: float
    """Lower is better."""
    token_accuracy: float
    """Share of next tokens, in [0, 1]."""
    line_exact_match: float
    """Share of next lines, surrounding blanks aside."""
    line_edit_similarity: float
    """Mean of `rapidfuzz.fuzz.ratio` over the lines, in [0, 1]."""


@dataclass(frozen=True)
class PredictorRow:
    """One predictor: memory alone, a level or the ensemble, alone or with memory."""

    name: str
    """`memory`, a level's name or `ensemble`."""
    with_memory: bool
    scores: Scores


@dataclass(frozen=True)
class Calibration:
    """From which confidence on one level's answer is taken; fitted on the validation split."""

    threshold: float
    """Answers with less go on to the next level."""
    accepted: float
    """Share of validation lines at or above it."""
    accepted_correct: float
    """Share of exact matches among those."""


@dataclass(frozen=True)
class SuffixUse:
    """How similar one level's lines of the validation split are when it reads what stands behind them."""

    read: float
    """Mean line similarity of the level with memory, in [0, 1]."""
    unread: float
    """The same lines; only memory saw the text behind them."""

    @property
    def helps(self) -> bool:
        """Whether the level is served with it: where it does no harm."""
        return self.read >= self.unread


@dataclass(frozen=True)
class EvalReport:
    """The held-out figures of one nest; every predictor on the same tokens and the same lines."""

    rows: tuple[PredictorRow, ...]
    calibrations: dict[str, Calibration]
    """By level name, for the level with memory."""
    num_tokens: int
    num_bytes: int
    num_lines: int
    seed: int
    split: str = "test"
    review: dict[str, Any] = field(default_factory=dict)
    """What the classifiers for reviews reached on the validation split."""
    suffix: dict[str, SuffixUse] = field(default_factory=dict)
    """By level name."""
    continual: dict[str, Any] = field(default_factory=dict)
    """Of a nest that goes on from another: `parent`, `replay` and `forgetting` (evals/forgetting.py)."""

    def scores(self, name: str, *, with_memory: bool) -> Scores:
        """The scores of one predictor; raises KeyError when it was not measured."""
        for row in self.rows:
            if row.name == name and row.with_memory == with_memory:
                return row.scores
        raise KeyError(f"{name} {'with memory' if with_memory else 'alone'}")

    @property
    def level_names(self) -> tuple[str, ...]:
        names = dict.fromkeys(row.name for row in self.rows)
        return tuple(name for name in names if name not in (MEMORY, ENSEMBLE))

    def to_dict(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EvalReport:
        """Raises ValueError when it is another format."""
        if values.get("format") != FORMAT:
            raise ValueError(f"report has format {values.get('format')!r}, expected {FORMAT}")
        fields = {key: value for key, value in values.items() if key != "format"}
        fields["rows"] = tuple(
            PredictorRow(row["name"], row["with_memory"], Scores(**row["scores"]))
            for row in fields["rows"]
        )
        fields["calibrations"] = {
            level: Calibration(**facts) for level, facts in fields["calibrations"].items()
        }
        fields["suffix"] = {
            level: SuffixUse(**facts) for level, facts in fields.get("suffix", {}).items()
        }
        return cls(**fields)


@dataclass(frozen=True)
class Metric:
    """How one column of Scores is shown."""

    field: str
    title: str
    factor: float
    digits: int
    higher_is_better: bool

    def value(self, scores: Scores) -> str:
        return f"{getattr(scores, self.field) * self.factor:.{self.digits}f}"


METRICS = (
    Metric("bits_per_byte", "bits per byte ↓", 1, 3, False),
    Metric("token_accuracy", "next token %", 100, 1, True),
    Metric("line_exact_match", "line exact %", 100, 1, True),
    Metric("line_edit_similarity", "line similarity %", 100, 1, True),
)

HEADINGS = ("metric", "level", "memory alone", "level alone", "with memory")


def table_rows(report: EvalReport) -> Iterator[tuple[str, ...]]:
    """The cells of the table, one metric after the other, one level a row and the ensemble last."""
    memory = report.scores(MEMORY, with_memory=True)
    for metric in METRICS:
        for name in (*report.level_names, ENSEMBLE):
            yield (
                metric.title,
                name,
                metric.value(memory),
                metric.value(report.scores(name, with_memory=False)),
                metric.value(report.scores(name, with_memory=True)),
            )


def caption(report: EvalReport) -> str:
    """What the figures were measured on."""
    return (
        f"{report.split} split: {report.num_tokens:,} tokens ({report.num_bytes:,} bytes), "
        f"{report.num_lines:,} lines; seed {report.seed}{suffix_sentence(report)}"
    )


def suffix_sentence(report: EvalReport) -> str:
    """Which levels are shown the text behind the cursor, and what that does to their lines."""
    if not report.suffix:
        return ""
    uses = (
        f"{name} {'reads' if use.helps else 'is not shown'} it "
        f"({use.read * 100:.1f} % with, {use.unread * 100:.1f} % without)"
        for name, use in report.suffix.items()
    )
    return f"\nText behind the cursor, by validation lines: {', '.join(uses)}"


def render(report: EvalReport) -> Table:
    """The table for a terminal."""
    table = Table(title="Held-out code", caption=caption(report))
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="left" if number < 2 else "right")
    num_levels = len(report.level_names) + 1
    for number, row in enumerate(table_rows(report)):
        first, last = number % num_levels == 0, number % num_levels == num_levels - 1
        table.add_row(row[0] if first else "", *row[1:], end_section=last)
    return table


def render_markdown(report: EvalReport) -> str:
    """The same table as Markdown, for pages under `benchmarks/`."""
    lines = [
        "| " + " | ".join(HEADINGS) + " |",
        "|---|---|---:|---:|---:|",
        *("| " + " | ".join(row) + " |" for row in table_rows(report)),
    ]
    return "\n".join(lines) + f"\n\n{caption(report)}\n"
