"""Where a level's worker begins; importing this is cheap for whoever only sends it there."""

from __future__ import annotations

from typing import Any

from nested_ray.train.imports import importing


def train_level(job: dict[str, Any]) -> dict[str, Any]:
    """Train one worker of one level; rank 0's summary is the run's result."""
    with importing():
        from nested_ray.train.loop import train_loop_per_worker

    return train_loop_per_worker(job)
