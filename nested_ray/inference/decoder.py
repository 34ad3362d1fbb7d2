"""The Decoder protocol: a causal model with a key-value cache, several sequences at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

# B sequences, T new tokens, V vocabulary


class KeyValues(Protocol):
    """What the model remembers of B sequences."""

    def select(self, rows: Sequence[int]) -> KeyValues:
        """An independent copy of these rows, in this order; a row may be repeated."""
        ...


CacheT = TypeVar("CacheT")


class Decoder(Protocol, Generic[CacheT]):
    """Sequences of different lengths share a batch; logits are float32."""

    vocab_size: int

    def prefill(self, rows: Sequence[Sequence[int]]) -> tuple[CacheT, Tensor]:
        """Read the prompts (none empty); returns the cache and the logits (B, V) after each one."""
        ...

    def extend(self, cache: CacheT, ids_BT: Tensor) -> Tensor:
        """Append T tokens to every sequence, in place; returns the logits (B, T, V) after each."""
        ...


def pad_right(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids (B, T) padded with 0 at the right, and the lengths (B,)."""
    lengths = [len(row) for row in rows]
    if min(lengths, default=0) == 0:
        raise ValueError("a decoder needs at least one token per sequence")
    longest = max(lengths)
    padded = [[*row, *([0] * (longest - len(row)))] for row in rows]
    return torch.tensor(padded, device=device), torch.tensor(lengths, device=device)
