"""What each way of continuing a nest did to its losses on old and new code: runs → means over seeds, a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from nested_ray.train.continuing import Code

CODES: tuple[Code, ...] = ("old", "new")
Arm = Literal["replay and frequencies", "replay", "frequencies", "fine-tuning"]
ARMS: tuple[Arm, ...] = ("replay and frequencies", "replay", "frequencies", "fine-tuning")

Losses = dict[str, dict[Code, float]]
"""By level, nats per token on old and new held-out code."""


@dataclass(frozen=True)
class ArmRun:
    """One way of continuing one nest, with one seed."""

    arm: Arm
    seed: int
    before: Losses
    after: Losses
    tokens: dict[str, int]
    """By level, trained on after the old nest."""
    cpu_seconds: float


@dataclass(frozen=True)
class ContinualComparison:
    """Every arm with every seed."""

    num_tokens: dict[Code, int]
    """Held-out tokens measured on."""
    runs: tuple[ArmRun, ...]

    @property
    def arms(self) -> list[Arm]:
        return list(dict.fromkeys(run.arm for run in self.runs))

    def change(self, arm: Arm, level: str, code: Code) -> tuple[float, float]:
        """Mean loss after minus before over the seeds, and its standard error (nan of one seed)."""
        changes = [
            run.after[level][code] - run.before[level][code] for run in self.runs if run.arm == arm
        ]
        error = stdev(changes) / math.sqrt(len(changes)) if len(changes) > 1 else math.nan
        return fmean(changes), error


def to_markdown(comparison: ContinualComparison) -> str:
    """One row per arm and level: how the losses changed, mean and standard error over the seeds."""
    seeds = sorted({run.seed for run in comparison.runs})
    first = comparison.runs[0]
    sizes = ", ".join(f"{count:,} {code}" for code, count in comparison.num_tokens.items())
    lines = [
        f"Seeds {', '.join(map(str, seeds))}; held-out tokens: {sizes}; loss in nats per token, "
        "change with its standard error over the seeds.",
        "",
        "| arm | level | tokens | old: before | old: change | new: before | new: change |",
        "|---|---|---|---|---|---|---|",
    ]
    for arm in comparison.arms:
        for level in first.before:
            cells = [
                f"{fmean(run.tokens[level] for run in comparison.runs if run.arm == arm):,.0f}"
            ]
            for code in CODES:
                before = fmean(run.before[level][code] for run in comparison.runs)
                change, error = comparison.change(arm, level, code)
                margin = "" if math.isnan(error) else f" ± {error:.3f}"
                cells += [f"{before:.3f}", f"{change:+.3f}{margin}"]
            lines.append(f"| {arm} | {level} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
