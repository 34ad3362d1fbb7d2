"""Trace: memory's recall of a known text, token by token, without (N, V) arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nested_ray.memory.index import NgramIndex
from nested_ray.memory.state import MemoryState

# N tokens


@dataclass(frozen=True)
class Trace:
    """What `MixingWeights.fit` and teacher-forced evaluation need of N known tokens."""

    buckets: NDArray[np.int64]
    """(N,)"""
    gold_probs: NDArray[np.float32]
    """(N, 2) what [corpus, cache] gave the token that came."""
    likeliest: NDArray[np.int64]
    """(N, 2) the token each of them held most likely."""


def trace(index: NgramIndex, tokens: Sequence[int], *, before: Sequence[int] = ()) -> Trace:
    """Recall every token of a text from the ones before it; `before` is the file up to the text."""
    state = MemoryState(index)
    state.extend(before)
    buckets = np.empty(len(tokens), np.int64)
    gold_probs = np.empty((len(tokens), 2), np.float32)
    likeliest = np.empty((len(tokens), 2), np.int64)
    for position, token in enumerate(tokens):
        recall = state.recall()
        buckets[position] = recall.bucket
        gold_probs[position] = recall.corpus[token], recall.cache[token]
        likeliest[position] = recall.corpus.argmax(), recall.cache.argmax()
        state.append(int(token))
    return Trace(buckets, gold_probs, likeliest)
