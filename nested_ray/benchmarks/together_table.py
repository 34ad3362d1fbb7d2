"""What training together is worth: paired differences, tokens to the twin's loss, intervals over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from nested_ray.benchmarks.together import Curve

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Pair:
    """One level of one seed: together, and its twin alone that went on for what the exchange cost."""

    seed: int
    together: Curve
    alone: Curve

    @property
    def own_place(self) -> int:
        """Where in the twin's curve it has made as many steps as the level together."""
        return self.alone.steps.index(self.together.steps[-1])

    @property
    def difference(self) -> float:
        """Final loss together over the twin's after equal tokens, less one."""
        return self.together.final_loss / self.alone.losses[self.own_place] - 1

    @property
    def difference_at_equal_compute(self) -> float:
        return self.together.final_loss / self.alone.final_loss - 1

    @property
    def token_ratio(self) -> float | None:
        """Tokens to the twin's final loss over the twin's tokens; None when it is not reached."""
        place = self.own_place
        reached = first_reached(
            self.together.tokens, self.together.losses, self.alone.losses[place]
        )
        return None if reached is None else reached / self.alone.tokens[place]

    @property
    def compute_ratio(self) -> float | None:
        """The same in processor time, against the twin that went on for as long."""
        reached = first_reached(self.together.steps, self.together.losses, self.alone.final_loss)
        if reached is None:
            return None
        return reached * (1 + self.together.exchange_share) / self.alone.steps[-1]


def first_reached(places: Sequence[float], losses: Sequence[float], target: float) -> float | None:
    """Where a curve first comes down to the target, on straight lines between its points."""
    if losses[0] <= target:
        return places[0]
    for left, right in zip(range(len(losses)), range(1, len(losses)), strict=False):
        if losses[right] <= target:
            part = (losses[left] - target) / (losses[left] - losses[right])
            return places[left] + part * (places[right] - places[left])
    return None


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95 % interval by Student's t; no interval from one seed."""

    mean: float
    half_width: float
    num_seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        num = len(values)
        half_width = math.nan
        if num > 1:
            quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, num - 1))
            half_width = quantile * float(np.std(values, ddof=1)) / math.sqrt(num)
        return cls(float(np.mean(values)), half_width, num)


def percent(estimate: Estimate) -> str:
    if math.isnan(estimate.half_width):
        return f"{estimate.mean:+.2%}"
    return f"{estimate.mean:+.2%} ± {estimate.half_width:.2%}"


def ratio(values: Sequence[float | None]) -> str:
    """Mean and interval of those that reached the loss, and how many did not."""
    reached = [value for value in values if value is not None]
    missing = len(values) - len(reached)
    if not reached:
        return "not reached"
    estimate = Estimate.of(reached)
    text = f"{estimate.mean:.2f}"
    if not math.isnan(estimate.half_width):
        text += f" ± {estimate.half_width:.2f}"
    return f"{text} (not reached with {missing} of {len(values)} seeds)" if missing else text


def to_markdown(pairs: dict[str, list[Pair]]) -> str:
    """One row per level."""
    lines = [
        "| level | loss together | alone | difference, equal tokens | equal compute "
        "| tokens to the twin's loss | compute to it | exchange's share of the time | targets used |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for level, of_level in pairs.items():
        together = np.mean([pair.together.final_loss for pair in of_level])
        alone = np.mean([pair.alone.losses[pair.own_place] for pair in of_level])
        difference = Estimate.of([pair.difference for pair in of_level])
        computed = Estimate.of([pair.difference_at_equal_compute for pair in of_level])
        share = np.mean([pair.together.exchange_share for pair in of_level])
        used = np.mean([pair.together.targets_used for pair in of_level])
        lines.append(
            f"| {level} | {together:.3f} | {alone:.3f} | {percent(difference)} | {percent(computed)} "
            f"| {ratio([pair.token_ratio for pair in of_level])} "
            f"| {ratio([pair.compute_ratio for pair in of_level])} | {share:.1%} | {used:.0f} |"
        )
    return "\n".join(lines) + "\n"
