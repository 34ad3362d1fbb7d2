"""Forgetting: an old nest and its continuation on the same held-out code, old and new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.table import Table

from nested_ray.config.train import EvaluationConfig
from nested_ray.evals.evaluate import Steps, measure, num_steps
from nested_ray.evals.heldout import Advance, Heldout
from nested_ray.evals.predictors import NestMixing, Predictors
from nested_ray.evals.report import MEMORY, METRICS, EvalReport, Scores
from nested_ray.inference.bundle import MEMORY_FOLDER, MIXING_FILE, level_folder
from nested_ray.inference.loading import read_mixing
from nested_ray.memory import MEMORY_EXPERTS, MixingWeights

SHOWN = tuple(metric for metric in METRICS if metric.field in ("bits_per_byte", "line_exact_match"))


@dataclass(frozen=True)
class Change:
    """One predictor on one kind of held-out code, before and after."""

    code: str
    """`old` or `new`."""
    name: str
    """`memory`, a level's name or `ensemble`."""
    with_memory: bool
    before: Scores
    after: Scores


@dataclass(frozen=True)
class Forgetting:
    """What a continuation cost on old code and won on new code."""

    changes: tuple[Change, ...]
    num_bytes: dict[str, int]
    """Held-out bytes measured on, by code."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Forgetting:
        changes = tuple(
            Change(
                **{
                    **change,
                    "before": Scores(**change["before"]),
                    "after": Scores(**change["after"]),
                }
            )
            for change in values["changes"]
        )
        return cls(changes, dict(values["num_bytes"]))


def measure_forgetting(
    before: Path,
    after: Path,
    heldout: Mapping[Literal["old", "new"], Heldout],
    config: EvaluationConfig,
    advance: Advance | None = None,
) -> Forgetting:
    """Both nests on every held-out set; the same windows, contexts and lines for both.

    `heldout` maps `old` and `new` to held-out sets. The nests are evaluated and have one tokenizer.
    """
    steps = Steps(advance, 2 * sum(num_steps(each, config) for each in heldout.values()))
    reports: list[dict[str, EvalReport]] = []
    for nest_dir in (before, after):
        predictors = load_evaluated(nest_dir)
        reports.append(
            {code: measure(predictors, each, config, {}, steps) for code, each in heldout.items()}
        )
    first, second = reports
    changes = tuple(
        Change(code, row.name, row.with_memory, row.scores, now.scores)
        for code in heldout
        for row, now in zip(first[code].rows, second[code].rows, strict=True)
    )
    return Forgetting(changes, {code: report.num_bytes for code, report in second.items()})


def load_evaluated(nest_dir: Path) -> Predictors:
    """The levels of a nest directory with the weights of memory that its evaluation has written."""
    predictors = Predictors.load(nest_dir)
    memory = (nest_dir / MEMORY_FOLDER / MIXING_FILE).read_text(encoding="utf-8")
    return predictors.mixed_by(
        NestMixing(
            memory=MixingWeights.from_json(memory, experts=MEMORY_EXPERTS),
            levels={name: read_mixing(level_folder(nest_dir, name)) for name in predictors.engines},
        )
    )


def render_forgetting(forgetting: Forgetting) -> Table:
    """One row per predictor, old and new code side by side."""
    sizes = ", ".join(f"{size:,} bytes {code}" for code, size in forgetting.num_bytes.items())
    table = Table(title="Held-out code before → after", caption=f"test splits: {sizes}")
    table.add_column("predictor")
    for code in forgetting.num_bytes:
        for metric in SHOWN:
            table.add_column(f"{code}: {metric.title}", justify="right")
    for name, cells in forgetting_rows(forgetting):
        table.add_row(name, *cells)
    return table


def forgetting_rows(forgetting: Forgetting) -> Iterator[tuple[str, list[str]]]:
    """`syntax + memory` and its cells, such as `1.204 → 1.198`."""
    by_row: dict[str, list[str]] = {}
    for change in forgetting.changes:
        plain = change.name == MEMORY or not change.with_memory
        name = change.name if plain else f"{change.name} + memory"
        by_row.setdefault(name, []).extend(
            f"{metric.value(change.before)} → {metric.value(change.after)}" for metric in SHOWN
        )
    yield from by_row.items()
