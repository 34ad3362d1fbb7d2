"""Features: what speaks for each option of a slot, the option that stands there read like the others.

The slot itself is left out of every count. So a file's features are the same whichever option stands
in the slot, and one clean file gives both: what a right word looks like, and what a wrong one would.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nested_ray.bugs.candidates import MAX_OPTIONS
from nested_ray.bugs.evidence import NUM_VALUES, Evidence
from nested_ray.bugs.neighbours import MAX_CONTEXTS, Neighbours, Parameters
from nested_ray.bugs.reading import CodeReading
from nested_ray.bugs.slots import Slot

# S slots, O options of a slot, N options of all, F hashed features, D dense features

TABLE_SIZE = 1 << 17
ABSENT = 0
"""Id of a hashed feature that an option lacks; its weight stays 0."""


@dataclass(frozen=True)
class SlotFeatures:
    """Of S slots with up to O options, N in all; options follow each other slot by slot."""

    hashed_NF: NDArray[np.int32]
    dense_ND: NDArray[np.float32]
    num_options_S: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.num_options_S)

    @property
    def real_SO(self) -> NDArray[np.bool_]:
        """Which options there are."""
        return np.arange(MAX_OPTIONS) < self.num_options_S[:, None]

    @classmethod
    def join(cls, parts: Sequence[SlotFeatures]) -> SlotFeatures:
        return cls(
            np.concatenate([part.hashed_NF for part in parts]),
            np.concatenate([part.dense_ND for part in parts]),
            np.concatenate([part.num_options_S for part in parts]),
        )

    def take(self, rows: NDArray[np.int64]) -> SlotFeatures:
        """Some of the slots, in that order."""
        counts = self.num_options_S[rows]
        starts = (np.cumsum(self.num_options_S) - self.num_options_S)[rows]
        shifts = np.repeat(starts - (np.cumsum(counts) - counts), counts)
        picked = np.arange(len(shifts)) + shifts
        return SlotFeatures(self.hashed_NF[picked], self.dense_ND[picked], counts)


def slot_features(
    code: CodeReading, slots: Sequence[Slot], parameters: Parameters | None = None
) -> SlotFeatures:
    """Features of slots of one file; `parameters` are those that other files tell of."""
    near, evidence = Neighbours(code), Evidence(code, parameters or {})
    num_options_S = np.array([len(slot.options) for slot in slots], np.int64)
    hashed_NF = np.full((num_options_S.sum(), MAX_CONTEXTS), ABSENT, np.int32)
    dense_ND = np.zeros((num_options_S.sum(), NUM_VALUES), np.float32)
    row = 0
    for slot in slots:
        for option in range(len(slot.options)):
            ids = [pair_id(context, filler) for context, filler in near.pairs(slot, option)]
            hashed_NF[row, : len(ids)] = ids
            values = evidence.values(slot, option)
            dense_ND[row, : len(values)] = values
            row += 1
    return SlotFeatures(hashed_NF, dense_ND, num_options_S)


def pair_id(context: str, filler: str) -> int:
    """A number from 1 to TABLE_SIZE - 1 for a word in a context; the same on every machine."""
    mixed = (hash_text(context) * 0x9E3779B1 + hash_text(filler)) * 0x85EBCA6B
    return 1 + (mixed >> 7) % (TABLE_SIZE - 1)


@lru_cache(maxsize=1 << 16)
def hash_text(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))
