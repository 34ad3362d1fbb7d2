"""The tables of a comparison of together and alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from nested_ray.benchmarks.together_runs import Runs
from nested_ray.benchmarks.together_table import Estimate, Pair, percent, to_markdown

Pairs = dict[str, list[Pair]]
"""By level, one pair per seed."""


@dataclass(frozen=True)
class TogetherReport:
    """What the levels gain from each other, and what ablations change."""

    seeds: int
    heldout_tokens: int
    precisions: dict[str, str]
    pairs: Pairs
    """Together, and alone on the same batches."""
    window: Pairs
    """The other levels beside a last level that sees what the first one does, and beside the real one."""
    bad_peer: Pairs
    """The other levels beside a random peer, heard and not heard."""

    def to_markdown(self) -> str:
        parts = [
            f"{self.seeds} seeds; loss on {self.heldout_tokens:,} held-out tokens, nats per token; "
            f"matrix products in {', '.join(sorted(set(self.precisions.values())))}.\n",
            to_markdown(self.pairs),
        ]
        if self.window:
            parts.append(
                ablation(self.window, "beside a last level that sees only the window", "as it is")
            )
        if self.bad_peer:
            parts.append(ablation(self.bad_peer, "random peer heard", "not heard"))
        return "\n".join(parts)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(runs: Runs, *, seeds: Iterable[int], last_sees_window: bool = False) -> TogetherReport:
    """Make all runs, or take those that are made, and gather them by level."""
    pairs: Pairs = {}
    window: Pairs = {}
    bad: Pairs = {}
    num_seeds = 0
    for seed in seeds:
        num_seeds += 1
        gather(pairs, runs.pairs(seed))
        if last_sees_window:
            gather(window, runs.window_pairs(seed))
        if runs.bad_peer is not None:
            gather(bad, runs.bad_pairs(seed))
    return TogetherReport(num_seeds, runs.heldout_tokens, runs.precisions, pairs, window, bad)


def gather(into: Pairs, pairs: dict[str, Pair]) -> None:
    for level, pair in pairs.items():
        into.setdefault(level, []).append(pair)


def ablation(pairs: Pairs, changed: str, plain: str) -> str:
    """One row per level: the loss with what was changed, without, and the paired difference."""
    lines = [f"| level | loss {changed} | {plain} | difference |", "|---|---|---|---|"]
    for level, of_level in pairs.items():
        first = Estimate.of([pair.together.final_loss for pair in of_level]).mean
        second = Estimate.of([pair.alone.final_loss for pair in of_level]).mean
        difference = Estimate.of([pair.difference_at_equal_compute for pair in of_level])
        lines.append(f"| {level} | {first:.3f} | {second:.3f} | {percent(difference)} |")
    return "\n".join(lines) + "\n"
