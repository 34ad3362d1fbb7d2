"""What a worker counts and averages while it trains; part of every checkpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nested_ray.train.step import StepResult


@dataclass
class Counters:
    """Totals of one worker since the start of its run; they survive restarts."""

    tokens_seen: int = 0
    train_seconds: float = 0.0
    """Time spent in steps."""
    targets_published: int = 0
    """Records handed to the exchange."""
    targets_used: int = 0
    """Peers' records that a step learned from."""
    targets_stale: int = 0
    targets_lost: int = 0
    """Gone with a process or a timeout, or not of the batch that they named."""
    targets_dropped: int = 0
    """Own records not sent: the exchange was still busy with the ones before."""


@dataclass
class RecentLosses:
    """Means over about the last 20 steps, losses in nats per token; None before the first."""

    ce: float | None = None
    kd: float | None = None
    accuracy: float | None = None

    def add(self, result: StepResult) -> None:
        self.ce = _smoothed(self.ce, result.ce)
        self.accuracy = _smoothed(self.accuracy, result.accuracy)
        if result.kd is not None:
            self.kd = _smoothed(self.kd, result.kd)


def _smoothed(before: float | None, value: float) -> float | None:
    if not math.isfinite(value):
        return before
    return value if before is None else 0.95 * before + 0.05 * value
