"""Trainers that are watched: what they trained on, and what their exchange cost them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nested_ray.datasets.loader import batch_digest
from nested_ray.distill.exchange import Exchange
from nested_ray.distill.losses import Teacher
from nested_ray.train.counters import Counters
from nested_ray.train.job import LevelJob
from nested_ray.train.level import LevelTrainer
from nested_ray.train.pairing import Choice, Record, choose_batch
from nested_ray.train.peers import Peers
from nested_ray.train.step import BatchResult, StepInput, StepResult


@dataclass(frozen=True)
class Batches:
    """Which batches a level trained on, in order."""

    ids: tuple[str, ...]
    paired: tuple[bool, ...]


@dataclass
class Clock:
    """Processor seconds of one level."""

    exchange: float = 0.0
    """Reading, decoding, encoding and publishing."""
    taught: list[float] = field(default_factory=list)
    """The rest of each batch that was learned from a teacher too."""
    untaught: list[float] = field(default_factory=list)

    @property
    def batch_seconds(self) -> float:
        """Median of a batch without the exchange."""
        return float(np.median(self.untaught or self.taught or [0.0]))

    @property
    def exchange_share(self) -> float:
        """Of the exchange's work, distillation included, in the time of the rest.

        Distillation is what batches with a teacher take longer than those without.
        """
        num_batches = len(self.taught) + len(self.untaught)
        if not self.batch_seconds:
            return 0.0
        distilling = 0.0
        if self.taught and self.untaught:
            distilling = (float(np.median(self.taught)) - self.batch_seconds) * len(self.taught)
        return max(0.0, self.exchange + distilling) / (self.batch_seconds * num_batches)


class WatchedPeers(Peers):
    """Peers of a level's only worker, whose exchange is timed."""

    def __init__(
        self,
        job: LevelJob,
        exchange: Exchange | None,
        counters: Counters,
        *,
        deaf_to: str | None = None,
    ) -> None:
        super().__init__(job, exchange, counters)
        self._deaf_to = deaf_to
        self.seconds = 0.0
        """Processor time of reading, decoding, encoding and publishing so far."""

    def read(self) -> None:
        self._timed(super().read)

    def teachers(self, records: tuple[Record, ...], digest: str, batch: StepInput) -> list[Teacher]:
        heard = tuple(record for record in records if record.header.level != self._deaf_to)
        return self._timed(super().teachers, heard, digest, batch)

    def tell(
        self, batch_id: str, digest: str, batch: StepInput, logits_NV: Tensor, *, step: int
    ) -> None:
        self._timed(super().tell, batch_id, digest, batch, logits_NV, step=step)

    def _timed(self, work: Callable[..., Any], *args: Any, **settings: Any) -> Any:
        started = time.process_time()
        try:
            return work(*args, **settings)
        finally:
            self.seconds += time.process_time() - started


class MeasuredTrainer(LevelTrainer):
    """A level's trainer that notes its batches and times its exchange; may repeat another run's batches."""

    def __init__(
        self,
        job: LevelJob,
        *,
        repeat: Batches | None = None,
        deaf_to: str | None = None,
        **parts: Any,
    ) -> None:
        """`repeat` are the batches to train on instead of choosing, private ones afterwards;
        `deaf_to` is a peer whose batches are taken like all others while its targets are not heard."""
        super().__init__(job, **parts)
        self.peers = WatchedPeers(job, parts.get("exchange"), self.counters, deaf_to=deaf_to)
        self.clock = Clock()
        self.chosen: list[Choice] = []
        self.repeat = repeat

    @property
    def batches(self) -> Batches:
        return Batches(
            tuple(choice.batch_id for choice in self.chosen),
            tuple(choice.paired for choice in self.chosen),
        )

    def _learn(self, batch_number: int, share: float) -> BatchResult:
        started, exchanged = time.process_time(), self.peers.seconds
        result = super()._learn(batch_number, share)
        exchanged = self.peers.seconds - exchanged
        rest = time.process_time() - started - exchanged
        self.clock.exchange += exchanged
        (self.clock.taught if result.num_heard else self.clock.untaught).append(rest)
        return result

    def _choose(self, batch_number: int) -> Choice:
        if self.repeat is None:
            choice = super()._choose(batch_number)
        elif batch_number < len(self.repeat.ids):
            choice = Choice(self.repeat.ids[batch_number], self.repeat.paired[batch_number])
        else:
            choice = Choice(f"private:{self.job.level.name}/more/{batch_number}", paired=False)
        self.chosen.append(choice)
        return choice


class FrozenTrainer(MeasuredTrainer):
    """A peer that tells what it thinks and never learns: a model that is good already, or a broken one.

    It opens a batch in every paired step: from a peer's it could not learn anything.
    """

    told: dict[str, bytes] | None = None
    """By batch id, what it said in other runs on the same data and need not compute again."""

    def make_step(self) -> StepResult:
        choice = self._choose(self.step)
        # Of private batches nobody would hear.
        if choice.paired and self.peers.tells(choice.batch_id, self.step):
            batch = self._load(choice)
            prepared = self._prepare(batch)
            self.peers.publish(
                choice.batch_id,
                batch_digest(batch),
                self._say(choice.batch_id, prepared),
                num_tokens=len(prepared.gold_ids_N),
                step=self.step,
            )
        self.step += 1
        return StepResult(ce=0.0, kd=None, accuracy=0.0, grad_norm=0.0, num_tokens=0)

    def _choose(self, batch_number: int) -> Choice:
        return choose_batch(
            batch_number,
            level=self.job.level.name,
            rank=self.rank,
            paired_share=self.job.distill.paired_share,
            takes=False,
            cursor=self.cursor,
            pool=self.peers.pool,
        )

    def _say(self, batch_id: str, batch: StepInput) -> bytes:
        if self.told is None:
            self.told = {}
        if batch_id not in self.told:
            with torch.no_grad(), self._autocast():
                logits_NV = self.model(batch.input_ids_BL, batch.target_index_BW, batch.valid_BW)
            self.told[batch_id] = self.peers.encode(batch_id, batch, logits_NV)
        return self.told[batch_id]
