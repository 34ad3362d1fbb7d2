"""When a level begins to listen to its peers, and how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from nested_ray.config.train import DistillConfig


@dataclass(frozen=True)
class DistillSchedule:
    """Burn-in with cross-entropy alone, then a linear ramp up to the full weight.

    Two untrained peers pull each other towards noise: distilling from the first step on was
    measured to leave both behind a run without it.
    """

    burn_in_steps: int
    ramp_steps: int
    weight: float

    @classmethod
    def for_level(cls, config: DistillConfig, max_steps: int) -> Self:
        """Burn-in and ramp take at most a quarter of the level's steps each, so that a short run
        still distils for half of its length."""
        quarter = max_steps // 4
        return cls(
            burn_in_steps=min(config.burn_in_steps, quarter),
            ramp_steps=min(config.ramp_steps, quarter),
            weight=config.weight,
        )

    def exchanges(self, step: int) -> bool:
        """Whether a level at this step teaches and learns at all."""
        return step >= self.burn_in_steps

    def factor(self, step: int) -> float:
        """Factor of the distillation term at a step counted from 0."""
        if not self.exchanges(step):
            return 0.0
        ramped = (step - self.burn_in_steps + 1) / (self.ramp_steps + 1)
        return self.weight * min(1.0, ramped)
