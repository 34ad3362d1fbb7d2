"""The Exchange protocol: a bounded mailbox of soft targets between levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class RecordHeader:
    """Everything about a record but its bytes."""

    level: str
    """The teacher."""
    batch_id: str
    """Names the paired batch; together with the seed it names the rows."""
    batch_digest: str
    """sha256 (first 16 hex) of the target token ids; a reader refuses a record whose digest differs."""
    weights_step: int
    """The teacher's step when the targets were made."""
    num_tokens: int
    tokenizer_hash: str
    head_k: int
    tail_samples: int
    always_ids: tuple[int, ...] = ()
    """Ids whose log-probability travels with every token, however unlikely they are there."""
    partial: bool = False
    """Whether only some of the batch's tokens are spoken about; each record then says which."""


@dataclass(frozen=True)
class ExchangeReport:
    """What went through the exchange since it started; counts of records."""

    published: dict[str, int] = field(default_factory=dict)
    """By teacher."""
    delivered: dict[str, int] = field(default_factory=dict)
    """By reader: announced to its workers, whether they took it or not."""
    dropped: dict[str, int] = field(default_factory=dict)
    """By teacher: made room for newer ones in the bounded mailbox."""
    bytes_per_token: float = 0.0
    """Measured on what was published."""


class Exchange(Protocol):
    """What a training loop needs; the Ray actor and the in-memory one behave alike. Never blocks for a peer."""

    def publish(self, header: RecordHeader, payload: bytes) -> None:
        """Hand over one record. Losing it is allowed; waiting for it is not."""
        ...

    def unread(self, reader: str, after: int) -> Sequence[tuple[int, RecordHeader, bytes]]:
        """Peers' records with a sequence number above `after`, oldest first; empty when there are none."""
        ...
