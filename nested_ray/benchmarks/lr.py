"""Learning-rate policies compared: one level, the same batches, held-out loss at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch.nn import functional

from nested_ray.config.levels import (
    AdaptiveLR,
    LearningRate,
    ProdigyLR,
    ScheduleFreeLR,
    ScratchModel,
)
from nested_ray.datasets.loader import IGNORED, Batch, collate, load_batch
from nested_ray.models import WindowModel, build_model
from nested_ray.train.lr import averaged_weights, build_optimizer, current_lr
from nested_ray.train.step import StepInput, learn_batch, update

PAD_ID = 0
MAX_GRAD_NORM = 1.0

OnRun = Callable[[int, int, str], None]
"""Called before each run with runs done, runs in all and the policy's name."""


@dataclass(frozen=True)
class LrRun:
    """What one policy reached."""

    policy: str
    loss: float
    """Held-out, of the averaged weights, in nats per token."""
    final_lr: float
    cpu_seconds: float


@dataclass(frozen=True)
class LrComparison:
    """All policies on one dataset."""

    steps: int
    batch_size: int
    heldout_tokens: int
    runs: tuple[LrRun, ...]

    @property
    def best_fixed(self) -> LrRun:
        return min(
            (run for run in self.runs if run.policy.startswith("schedule_free")),
            key=lambda run: run.loss,
        )

    def above_best(self, run: LrRun) -> float:
        """By which share a run's loss is above the best fixed peak's."""
        return run.loss / self.best_fixed.loss - 1


def policies(peaks: Sequence[float], *, warmup_steps: int) -> dict[str, LearningRate]:
    """Every fixed peak, the adaptive one from the default and from ten times off, and Prodigy."""
    starts = (4e-4, 4e-3, 4e-2)
    return {
        **{
            f"schedule_free {peak:g}": ScheduleFreeLR(peak=peak, warmup_steps=warmup_steps)
            for peak in peaks
        },
        **{
            f"adaptive from {peak:g}": AdaptiveLR(
                type="adaptive", peak=peak, warmup_steps=warmup_steps
            )
            for peak in starts
        },
        "prodigy": ProdigyLR(type="prodigy", start=1e-5),
    }


def compare_lr(
    folder: Path,
    peaks: Sequence[float],
    *,
    preset: Any,
    vocab_size: int,
    steps: int,
    batch_size: int,
    heldout_rows: int,
    on_run: OnRun = lambda done, total, name: None,
) -> LrComparison:
    """Train one level once per policy on `folder/train` and measure it on `folder/validation`."""
    train = Dataset.load_from_disk(str(folder / "train"))
    validation = Dataset.load_from_disk(str(folder / "validation"))
    rows = np.linspace(0, len(validation) - 1, min(heldout_rows, len(validation)), dtype=int)
    heldout = prepare(collate(validation, np.unique(rows), pad_id=PAD_ID))
    chosen = policies(peaks, warmup_steps=max(1, steps // 5))
    runs = []
    for number, (name, config) in enumerate(chosen.items()):
        on_run(number, len(chosen), name)
        model = WindowModel(
            build_model(
                ScratchModel(preset=preset), vocab_size=vocab_size, max_positions=1024, seed=1
            )
        )
        batches = (
            load_batch(train, seed=0, batch_id=str(step), batch_size=batch_size, pad_id=PAD_ID)
            for step in range(steps)
        )
        runs.append(train_once(name, config, model, batches, heldout))
    return LrComparison(steps, batch_size, len(heldout.gold_ids_N), tuple(runs))


def train_once(
    name: str, config: LearningRate, model: WindowModel, batches: Any, heldout: StepInput
) -> LrRun:
    """One policy's run over the batches."""
    started = time.process_time()
    optimizer = build_optimizer(config, model)
    for batch in batches:
        learn_batch(model, prepare(batch), [], kd_factor=0.0, share=1.0, autocast=nullcontext)
        update(model, optimizer, MAX_GRAD_NORM)
    seconds = time.process_time() - started
    with averaged_weights(optimizer), torch.no_grad():
        logits_NV = model(heldout.input_ids_BL, heldout.target_index_BW, heldout.valid_BW)
        loss = functional.cross_entropy(logits_NV, heldout.gold_ids_N).item()
    return LrRun(name, loss, current_lr(optimizer), seconds)


def prepare(batch: Batch) -> StepInput:
    valid_BW = batch.target_ids != IGNORED
    return StepInput(batch.input_ids, batch.target_index, valid_BW, batch.target_ids[valid_BW])


def to_markdown(comparison: LrComparison) -> str:
    """One row per policy."""
    lines = [
        f"{comparison.steps} updates of {comparison.batch_size} windows, one seed; loss on "
        f"{comparison.heldout_tokens:,} held-out tokens, nats per token.",
        "",
        "| policy | held-out loss | above the best fixed peak | last rate | CPU seconds |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {run.policy} | {run.loss:.3f} | {comparison.above_best(run):+.1%} | {run.final_lr:.2g} "
        f"| {run.cpu_seconds:.0f} |"
        for run in comparison.runs
    ]
    return "\n".join(lines) + "\n"
