"""Heldout: the windows and lines of one split, and how work on them is shared out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from datasets import Dataset

from nested_ray.corpus.documents import Split
from nested_ray.datasets.lines import LineTask
from nested_ray.datasets.store import LevelDatasets
from nested_ray.datasets.tokenized import TokenizedSplit

Advance = Callable[[int, int | None, str], None]
"""`advance(done, total, detail)`: how far the evaluation is."""

MAX_THREADS = 4

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Heldout:
    """What predictors are compared on."""

    rows: Mapping[str, Dataset]
    """By level name; row i of every level is the same window."""
    tokens: TokenizedSplit
    """The documents the windows were cut from: memory reads what stands before a window."""
    lines: Sequence[LineTask]
    seed: int = 0

    @classmethod
    def open(
        cls,
        datasets: LevelDatasets,
        split: Split,
        *,
        level_names: Sequence[str],
        lines: Sequence[LineTask],
        seed: int = 0,
    ) -> Heldout:
        """One split of finished datasets."""
        rows = {name: datasets.level(name, split) for name in level_names}
        return cls(rows, datasets.tokenized(split), lines, seed)

    def sample_windows(self, max_windows: int) -> list[int]:
        """Row numbers in order, drawn by the seed; all of them where there are no more."""
        num_windows = min(len(rows) for rows in self.rows.values())
        if num_windows <= max_windows:
            return list(range(num_windows))
        picked = np.random.default_rng(self.seed).choice(num_windows, max_windows, replace=False)
        return sorted(picked.tolist())


def map_threads(
    function: Callable[[ItemT], ResultT], items: Sequence[ItemT], on_done: Callable[[ItemT], None]
) -> Iterator[ResultT]:
    """Results in order. torch releases the interpreter while it computes, memory's numpy does not:
    threads of one torch thread each keep the cores busy."""
    num_threads = min(MAX_THREADS, len(os.sched_getaffinity(0)))
    with one_torch_thread(), ThreadPoolExecutor(num_threads) as pool:
        for item, result in zip(items, pool.map(function, items), strict=True):
            on_done(item)
            yield result


@contextmanager
def one_torch_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
