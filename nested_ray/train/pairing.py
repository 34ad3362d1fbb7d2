"""What a step trains on: a private batch, a peer's batch with its targets, or a new shared one.

A share of the steps is paired. In a paired step a level takes the newest fresh record of a batch that
it has not trained on, rebuilds that batch with its own context and learns from every peer that has
spoken about it. With nothing to take it trains on a private batch: nobody ever waits, and a quick level
does not write down more than its peers could read.

Taking turns matters. If a level opened batches only for lack of records, the quickest level would open
all of them, its peers would follow, and the one whose batches everybody trains on would never find a
record of a batch that is new to it: it would teach and never learn.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from nested_ray.distill.exchange import RecordHeader

REMEMBERED_BATCHES = 1024
"""Shared batches a level remembers having trained on; far more than the exchange holds."""


def is_paired(step: int, paired_share: float) -> bool:
    """Whether a step, counted from 0, is paired: an even spread, the same on all ranks."""
    return int((step + 1) * paired_share) > int(step * paired_share)


def is_turn_to_open(step: int, paired_share: float, position: int, num_levels: int) -> bool:
    """Whether a paired step opens a new batch whatever the peers have sent.

    Every level does so in one of `num_levels` paired steps; `position` is its place among the levels.
    """
    return int(step * paired_share) % num_levels == position


def belongs_to_rank(batch_id: str, rank: int, world_size: int) -> bool:
    """Each shared batch is trained by one rank of a level, so that no two repeat it."""
    return zlib.crc32(batch_id.encode()) % world_size == rank


@dataclass(frozen=True)
class Record:
    """One peer's targets for one shared batch."""

    header: RecordHeader
    payload: bytes


@dataclass(frozen=True)
class Choice:
    """What one step trains on."""

    batch_id: str
    paired: bool
    records: tuple[Record, ...] = ()
    """At most one per peer; empty for private batches and for those opened by this level."""


@dataclass
class PairingCursor:
    """One worker's place among the batches; part of every checkpoint."""

    num_opened: int = 0
    trained: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED_BATCHES))

    def to_json(self) -> dict[str, Any]:
        return {"num_opened": self.num_opened, "trained": list(self.trained)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        trained = deque(values["trained"], maxlen=REMEMBERED_BATCHES)
        return cls(num_opened=values["num_opened"], trained=trained)


class RecordPool:
    """Unread records of one worker: bounded per peer, stale ones left out and counted."""

    def __init__(self, *, keep: int, max_staleness_steps: int) -> None:
        self._keep = keep
        self._max_staleness_steps = max_staleness_steps
        self._records: dict[str, deque[Record]] = {}
        self.newest_step: dict[str, int] = {}
        """Where each teacher stands; part of every checkpoint, so that staleness is judged as before."""
        self.num_stale = 0

    def add(self, records: Iterable[Record]) -> None:
        """Records as they arrived, oldest first."""
        for record in records:
            level = record.header.level
            # The last one to arrive, not the highest: a teacher that restarts counts from its checkpoint.
            self.newest_step[level] = record.header.weights_step
            self._records.setdefault(level, deque(maxlen=self._keep)).append(record)
        self._drop_stale()

    @property
    def headers(self) -> list[RecordHeader]:
        """Of every record in hand, each peer's oldest first."""
        return [record.header for record in self._in_order()]

    def refill(self, records: Iterable[Record]) -> None:
        """Put back what `headers` named; where the teachers stand is not changed by it."""
        for record in records:
            box = self._records.setdefault(record.header.level, deque(maxlen=self._keep))
            box.append(record)

    def take(self, trained: Iterable[str]) -> tuple[Record, ...]:
        """The newest record of a batch not in `trained`, with all other peers' of the same batch."""
        self._drop_trained(set(trained))
        newest = max(
            self._in_order(),
            key=lambda record: record.header.weights_step - self.newest_step[record.header.level],
            default=None,
        )
        if newest is None:
            return ()
        batch_id = newest.header.batch_id
        by_level = {
            record.header.level: record
            for record in self._in_order()
            if record.header.batch_id == batch_id
        }
        return tuple(by_level.values())

    def _in_order(self) -> Iterator[Record]:
        """By teacher, and not by who spoke first: a level that was resumed must choose as before."""
        for _, box in sorted(self._records.items()):
            yield from box

    def _drop_stale(self) -> None:
        for level, box in self._records.items():
            oldest = self.newest_step[level] - self._max_staleness_steps
            fresh = [record for record in box if record.header.weights_step >= oldest]
            self.num_stale += len(box) - len(fresh)
            self._records[level] = deque(fresh, maxlen=self._keep)

    def _drop_trained(self, trained: set[str]) -> None:
        for level, box in self._records.items():
            unseen = [record for record in box if record.header.batch_id not in trained]
            self._records[level] = deque(unseen, maxlen=self._keep)


def choose_batch(
    step: int,
    *,
    level: str,
    rank: int,
    paired_share: float,
    takes: bool,
    cursor: PairingCursor,
    pool: RecordPool,
) -> Choice:
    """The batch of a step; a paired one is noted in the cursor.

    `takes` is False when it is this level's turn to open, during burn-in and in a run without
    exchange: then the batch is one that this level opens.
    """
    records = pool.take(cursor.trained) if takes and is_paired(step, paired_share) else ()
    if not is_paired(step, paired_share) or (takes and not records):
        return Choice(f"private:{level}/{rank}/{step}", paired=False)
    if records:
        choice = Choice(records[0].header.batch_id, paired=True, records=records)
    else:
        choice = Choice(f"{level}/{rank}/{cursor.num_opened}", paired=True)
        cursor.num_opened += 1
    cursor.trained.append(choice.batch_id)
    return choice
