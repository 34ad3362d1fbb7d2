"""What one worker of a level hears from its peers and tells them: records → teachers, logits → records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from zlib import crc32

import torch
from torch import Tensor

from nested_ray.distill.exchange import Exchange, RecordHeader
from nested_ray.distill.losses import Teacher
from nested_ray.distill.mailbox import Undelivered
from nested_ray.distill.schedule import DistillSchedule
from nested_ray.distill.targets import decode_targets, encode_targets
from nested_ray.errors import TargetsMismatch
from nested_ray.train.counters import Counters
from nested_ray.train.job import LevelJob
from nested_ray.train.pairing import Record, RecordPool, belongs_to_rank
from nested_ray.train.step import StepInput


class Peers:
    """One worker's side of the exchange; without an exchange it hears nothing and tells nothing."""

    def __init__(
        self,
        job: LevelJob,
        exchange: Exchange | None,
        counters: Counters,
        *,
        rank: int = 0,
        world_size: int = 1,
        undelivered: Callable[[], Undelivered] = Undelivered,
    ) -> None:
        """`counters` are the worker's own: what is published, stale, lost and dropped is counted in them.

        `undelivered` says what the exchange could not deliver so far.
        """
        self.job, self.exchange = job, exchange
        self.schedule = DistillSchedule.for_level(job.distill, job.level.budget.max_steps)
        self.pool = RecordPool(
            keep=job.distill.keep_records, max_staleness_steps=job.distill.max_staleness_steps
        )
        self.undelivered = undelivered
        self._rank, self._world_size = rank, world_size
        self._last_sequence = 0
        self._counters, self._before = counters, replace(counters)
        """Totals, and what they were at the last restart."""
        self._num_refused = 0

    def restore(self, counters: Counters, newest_step: dict[str, int]) -> None:
        """Go on from a checkpoint: count on in its counters, and judge staleness by where the teachers stood."""
        self._counters, self._before = counters, replace(counters)
        self.pool.newest_step = dict(newest_step)

    def exchanges(self, step: int) -> bool:
        """Whether the level teaches and learns at this step."""
        return self.exchange is not None and self.schedule.exchanges(step)

    def read(self) -> None:
        """Put what the peers have published since the last time into the pool, as far as it is for this worker."""
        if self.exchange is None:
            return
        unread = self.exchange.unread(self.job.level.name, self._last_sequence)
        if unread:
            self._last_sequence = unread[-1][0]
        self.pool.add(
            Record(header, payload)
            for _, header, payload in unread
            if self.job.listens_to(header.level)
            and belongs_to_rank(header.batch_id, self._rank, self._world_size)
        )

    def teachers(self, records: tuple[Record, ...], digest: str, batch: StepInput) -> list[Teacher]:
        """The records' soft targets, on the batch's device; those of other rows are left out and counted as lost."""
        teachers = []
        for record in records:
            try:
                targets = decode_targets(
                    record.header,
                    record.payload,
                    batch_digest=digest,
                    num_tokens=len(batch.gold_ids_N),
                    tokenizer_hash=self.job.tokenizer_hash,
                    vocab_size=self.job.vocab_size,
                )
            except TargetsMismatch:
                self._num_refused += 1
                continue
            upward = self.job.is_upward(record.header.level)
            margin = self.job.distill.upward_margin_nats if upward else 0.0
            teachers.append(Teacher(targets.to(batch.gold_ids_N.device), margin))
        return teachers

    def tell(
        self, batch_id: str, digest: str, batch: StepInput, logits_NV: Tensor, *, step: int
    ) -> None:
        """Publish soft targets of a shared batch, if somebody is to hear them."""
        if self.tells(batch_id, step):
            payload = self.encode(batch_id, batch, logits_NV)
            self.publish(batch_id, digest, payload, num_tokens=len(batch.gold_ids_N), step=step)

    def tells(self, batch_id: str, step: int) -> bool:
        """A level still in burn-in has nothing to teach, and one without listeners nobody to tell."""
        is_heard = self.job.level.name in self.job.openers or self.job.is_of_remote(batch_id)
        return self.exchanges(step) and is_heard

    def encode(self, batch_id: str, batch: StepInput, logits_NV: Tensor) -> bytes:
        """Soft targets as they travel; their random draws depend on level and batch alone."""
        generator = torch.Generator().manual_seed(self.job.model_seed ^ crc32(batch_id.encode()))
        return encode_targets(
            logits_NV,
            batch.gold_ids_N,
            head_k=self.job.distill.head_k,
            tail_samples=self.job.distill.tail_samples,
            always_ids=self.job.always_ids,
            generator=generator,
        )

    def publish(
        self, batch_id: str, digest: str, payload: bytes, *, num_tokens: int, step: int
    ) -> None:
        """Hand encoded targets to the exchange; there must be one."""
        assert self.exchange is not None
        header = RecordHeader(
            level=self.job.level.name,
            batch_id=batch_id,
            batch_digest=digest,
            weights_step=step,
            num_tokens=num_tokens,
            tokenizer_hash=self.job.tokenizer_hash,
            head_k=self.job.distill.head_k,
            tail_samples=self.job.distill.tail_samples,
            always_ids=self.job.always_ids,
        )
        self.exchange.publish(header, payload)
        self._counters.targets_published += 1

    def count(self) -> None:
        """Bring the counters of what was stale, lost and dropped up to date."""
        counters, before, undelivered = self._counters, self._before, self.undelivered()
        counters.targets_stale = before.targets_stale + self.pool.num_stale
        counters.targets_lost = before.targets_lost + undelivered.lost + self._num_refused
        counters.targets_dropped = before.targets_dropped + undelivered.dropped
