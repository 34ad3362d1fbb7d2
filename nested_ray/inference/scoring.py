"""Teacher forcing through a decoder: the distribution before each of given tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nested_ray.inference.decoder import Decoder, KeyValues
from nested_ray.inference.sampling import Probabilities, log_probability

# B sequences, T tokens, V vocabulary


def probabilities(logits: Tensor) -> Probabilities:
    """Softmax over the last dimension, as a numpy array."""
    return torch.softmax(logits, dim=-1).cpu().numpy()


def forced_probabilities(
    decoder: Decoder, cache: KeyValues, first_logits_V: Tensor, rows: Sequence[Sequence[int]]
) -> list[Probabilities]:
    """For each row of tokens after one prompt: distributions (T, V) before each of its tokens.

    `cache` and `first_logits_V` are what `prefill` gave for the prompt; neither is changed. One
    forward over all rows.
    """
    longest = max(len(row) for row in rows)
    if longest == 1:
        return [probabilities(first_logits_V)[None] for _ in rows]
    padded = [[*row[:-1], *([0] * (longest - len(row)))] for row in rows]
    logits_BTV = decoder.extend(cache.select([0] * len(rows)), torch.tensor(padded))
    first = probabilities(first_logits_V)[None]
    following = probabilities(logits_BTV)
    return [
        np.concatenate([first, probs_TV[: len(row) - 1]])
        for row, probs_TV in zip(rows, following, strict=True)
    ]


@dataclass(frozen=True)
class ContinuationScore:
    """Natural log-probabilities of one text, summed over its tokens."""

    mixed: float
    """Of level and memory as they are mixed."""
    level: float
    """Of the level alone."""
    memory: float
    """Of memory alone."""

    def and_then(self, *, mixed: float, level: float, memory: float) -> ContinuationScore:
        """The score with one more token's probabilities."""
        return ContinuationScore(
            self.mixed + log_probability(mixed),
            self.level + log_probability(level),
            self.memory + log_probability(memory),
        )
