"""A bounded mailbox per level, newest records kept; the exchange without its transport."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nested_ray.distill.exchange import ExchangeReport, RecordHeader


@dataclass(frozen=True)
class Undelivered:
    """What one worker's end of an exchange could not send or fetch; counts of records."""

    dropped: int = 0
    """Not sent: the exchange was still busy with the ones before."""
    lost: int = 0
    """Sent or announced, and gone with a process or a timeout."""


@dataclass(frozen=True)
class Place:
    """How far a reader has come. Numbers of one epoch, one life of the mailbox, mean nothing in another."""

    epoch: str = ""
    number: int = 0
    """The last one that was announced to it."""

    def number_in(self, epoch: str) -> int:
        return self.number if epoch == self.epoch else 0

    def after(self, epoch: str, announced: Sequence[int]) -> Place:
        """The place once these numbers of that epoch, or none, were announced."""
        return Place(epoch, max(announced, default=self.number_in(epoch)))


class Mailbox:
    """Numbers and keeps records of any payload; sequence numbers start at 1 and never repeat."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._boxes: dict[str, deque[tuple[int, RecordHeader, Any]]] = {}
        self._last_sequence = 0
        self._published: Counter[str] = Counter()
        self._delivered: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._num_bytes = 0
        self._num_tokens = 0

    def put(self, header: RecordHeader, payload: Any, size_bytes: int) -> None:
        """Keep a record; the level's oldest one goes when its box is full."""
        box = self._boxes.setdefault(header.level, deque())
        if len(box) == self._keep:
            box.popleft()
            self._dropped[header.level] += 1
        self._last_sequence += 1
        box.append((self._last_sequence, header, payload))
        self._published[header.level] += 1
        self._num_bytes += size_bytes
        self._num_tokens += header.num_tokens

    def unread(self, reader: str, after: int) -> list[tuple[int, RecordHeader, Any]]:
        """Records of the reader's peers numbered above `after`, oldest first."""
        found = [
            record
            for level, box in self._boxes.items()
            if level != reader
            for record in box
            if record[0] > after
        ]
        found.sort(key=lambda record: record[0])
        self._delivered[reader] += len(found)
        return found

    def report(self) -> ExchangeReport:
        return ExchangeReport(
            published=dict(self._published),
            delivered=dict(self._delivered),
            dropped=dict(self._dropped),
            bytes_per_token=self._num_bytes / self._num_tokens if self._num_tokens else 0.0,
        )


class InMemoryExchange:
    """The exchange of levels that train in one process; safe to share between threads."""

    def __init__(self, keep: int = 32) -> None:
        self._mailbox = Mailbox(keep)
        self._lock = threading.Lock()

    def publish(self, header: RecordHeader, payload: bytes) -> None:
        with self._lock:
            self._mailbox.put(header, payload, len(payload))

    def unread(self, reader: str, after: int) -> Sequence[tuple[int, RecordHeader, bytes]]:
        with self._lock:
            return self._mailbox.unread(reader, after)

    def report(self) -> ExchangeReport:
        with self._lock:
            return self._mailbox.report()
