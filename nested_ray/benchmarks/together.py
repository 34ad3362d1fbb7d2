"""Levels trained together beside the same levels alone: same batches in the same order, one process, no Ray.

The levels take turns as jobs that end together would: the next step is made by the level that has the
smallest share of its budget behind it. A level's twin alone trains on the very batches that the level
together chose, so that the two differ in what the peers said and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset
from torch.nn import functional

from nested_ray.benchmarks.measured import Batches, FrozenTrainer, MeasuredTrainer
from nested_ray.datasets.loader import IGNORED, Batch, collate
from nested_ray.train.level import LevelTrainer
from nested_ray.train.lr import averaged_weights
from nested_ray.train.step import StepInput

HELDOUT_CHUNK = 8
"""Held-out windows per forward pass."""

OnStep = Callable[[int, int], None]
"""Called with steps done and steps in all."""


@dataclass(frozen=True)
class Curve:
    """What one level went through: its held-out loss, and what the exchange cost it."""

    level: str
    steps: tuple[int, ...]
    tokens: tuple[int, ...]
    """Trained on up to the step."""
    losses: tuple[float, ...]
    """Held-out, of the averaged weights, in nats per token."""
    step_seconds: float
    """Processor time of a step without anything of the exchange."""
    exchange_share: float
    """Processor time of reading, decoding, distilling, encoding and publishing over that of the rest."""
    targets_used: int
    batches: Batches

    @property
    def final_loss(self) -> float:
        return self.losses[-1]


class HeldOut:
    """The same held-out windows for every level, each with its own context."""

    def __init__(self, dataset: Dataset, num_rows: int, pad_id: int) -> None:
        rows = np.unique(np.linspace(0, len(dataset) - 1, min(num_rows, len(dataset)), dtype=int))
        self._batches = [
            prepared(collate(dataset, rows[start : start + HELDOUT_CHUNK], pad_id=pad_id))
            for start in range(0, len(rows), HELDOUT_CHUNK)
        ]
        self.num_tokens = sum(len(batch.gold_ids_N) for batch in self._batches)

    @torch.no_grad()
    def loss(self, trainer: LevelTrainer) -> float:
        """Mean cross-entropy of the level's averaged weights."""
        total = 0.0
        with averaged_weights(trainer.optimizer):
            for batch in self._batches:
                logits_NV = trainer.model(batch.input_ids_BL, batch.target_index_BW, batch.valid_BW)
                total += functional.cross_entropy(
                    logits_NV.float(), batch.gold_ids_N, reduction="sum"
                ).item()
        return total / self.num_tokens


def prepared(batch: Batch) -> StepInput:
    valid_BW = batch.target_ids != IGNORED
    return StepInput(batch.input_ids, batch.target_index, valid_BW, batch.target_ids[valid_BW])


class Recorder:
    """Measures a level every few steps."""

    def __init__(self, trainer: MeasuredTrainer, heldout: HeldOut, num_points: int) -> None:
        self.trainer, self._heldout = trainer, heldout
        self._every = max(1, trainer.job.level.budget.max_steps // num_points)
        self._points = [(0, 0, heldout.loss(trainer))]

    def look(self, *, last: bool = False) -> None:
        step, tokens = self.trainer.step, self.trainer.counters.tokens_seen
        if last or step % self._every == 0:
            self._points.append((step, tokens, self._heldout.loss(self.trainer)))

    def curve(self) -> Curve:
        trainer, clock = self.trainer, self.trainer.clock
        steps, tokens, losses = zip(*self._points, strict=True)
        return Curve(
            level=trainer.job.level.name,
            steps=steps,
            tokens=tokens,
            losses=losses,
            step_seconds=clock.batch_seconds * trainer.job.level.budget.update_every,
            exchange_share=clock.exchange_share,
            targets_used=trainer.counters.targets_used,
            batches=trainer.batches,
        )


def train_together(
    trainers: Sequence[MeasuredTrainer],
    heldout: Mapping[str, HeldOut],
    *,
    num_points: int,
    on_step: OnStep = lambda done, total: None,
) -> dict[str, Curve]:
    """All levels to the end of their budgets, in turns; the curves of those that learn."""
    recorders = {
        id(trainer): Recorder(trainer, heldout[trainer.job.level.name], num_points)
        for trainer in trainers
        if not isinstance(trainer, FrozenTrainer)
    }
    total = sum(trainer.job.level.budget.max_steps for trainer in trainers)
    for done in range(total):
        trainer = min((each for each in trainers if not each.done), key=progress)
        trainer.make_step()
        if recorder := recorders.get(id(trainer)):
            recorder.look(last=trainer.done)
        on_step(done + 1, total)
    return {recorder.trainer.job.level.name: recorder.curve() for recorder in recorders.values()}


def progress(trainer: LevelTrainer) -> float:
    """Share of the budget that half of the next step would reach: who has least makes the next step."""
    return (trainer.step + 0.5) / trainer.job.level.budget.max_steps


def train_alone(
    trainer: MeasuredTrainer,
    heldout: HeldOut,
    *,
    more_steps: int,
    num_points: int,
    on_step: OnStep = lambda done, total: None,
) -> Curve:
    """One level to the end of its budget and `more_steps` further."""
    recorder = Recorder(trainer, heldout, num_points)
    own_steps = trainer.job.level.budget.max_steps
    for step in range(1, own_steps + more_steps + 1):
        trainer.make_step()
        recorder.look(last=step in (own_steps, own_steps + more_steps))
        on_step(step, own_steps + more_steps)
    return recorder.curve()
