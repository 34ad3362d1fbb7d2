"""What training came to: a level's finished run → its facts and its model folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nested_ray.checkpoints import read_manifest
from nested_ray.checkpoints.store import MODEL_FILES, SHARED_MANIFEST
from nested_ray.distill.exchange import ExchangeReport
from nested_ray.errors import DigestMismatch, LevelFailed
from nested_ray.train.runs import LevelRun


@dataclass(frozen=True)
class LevelFit:
    """What one level's run came to; counts are sums over its workers."""

    level: str
    model_dir: Path
    """config.json and model.safetensors, averaged weights."""
    steps: int
    tokens_seen: int
    train_loss: float | None
    """Cross-entropy over about the last 20 steps, nats per token."""
    kd_loss: float | None
    tokens_per_second: float
    """While it was in steps, all workers together."""
    seconds: float
    """From the start of the run to its end, waiting included."""
    targets_published: int
    targets_used: int
    targets_stale: int
    targets_lost: int
    targets_dropped: int
    train_accuracy: float | None = None
    """Share of tokens predicted right over about the last 20 steps."""


@dataclass(frozen=True)
class FitReport:
    """What the levels learned, and what they told each other."""

    levels: dict[str, LevelFit]
    exchange: ExchangeReport
    """What went through the exchange of the last attempt; empty in a run without one."""
    seconds: float
    notes: tuple[str, ...] = ()
    """What went wrong with checkpoints and was mended, in sentences."""
    remote: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By remote level, what it cost and gave."""


def level_fit(run: LevelRun, run_dir: Path) -> LevelFit:
    """A finished run's facts; its model is copied into `run_dir`. Raises LevelFailed where its checkpoint is damaged."""
    summary = run.result.return_value
    seconds = max(summary["train_seconds"], 1e-9)
    return LevelFit(
        level=run.job.level.name,
        model_dir=_take_model(run.result.checkpoint, run_dir / "levels" / run.job.level.name),
        steps=int(summary["step"]),
        tokens_seen=int(summary["tokens_seen"]),
        train_loss=summary["ce"],
        kd_loss=summary["kd"],
        train_accuracy=summary["accuracy"],
        tokens_per_second=summary["tokens_seen"] / seconds,
        seconds=run.seconds,
        **{
            name: int(summary[name])
            for name in (
                "targets_published",
                "targets_used",
                "targets_stale",
                "targets_lost",
                "targets_dropped",
            )
        },
    )


def _take_model(checkpoint: Any, target: Path) -> Path:
    """Copy the model out of a checkpoint, verified; the folder appears whole or not at all."""
    aside = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    with checkpoint.as_directory() as directory:
        try:
            read_manifest(Path(directory), SHARED_MANIFEST)
        except DigestMismatch as exc:
            raise LevelFailed(
                f"the last checkpoint of {target.name} is damaged ({exc}). Run the same command again to go on "
                "from the one before"
            ) from exc
        for name in MODEL_FILES:
            shutil.copyfile(Path(directory) / name, aside / name)
    shutil.rmtree(target, ignore_errors=True)
    aside.rename(target)
    return target
