"""Finished datasets on disk: Arrow rows per level and split, tokens per split, one manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import datasets
import numpy as np
import pyarrow as pa
from datasets import Dataset
from datasets.table import InMemoryTable

from nested_ray.corpus.documents import Split
from nested_ray.datasets.tokenized import TokenizedSplit
from nested_ray.datasets.windows import Window
from nested_ray.errors import DigestMismatch
from nested_ray.files import sha256_of, sync, write_json

SPLITS: tuple[Split, ...] = get_args(Split)
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class LevelDatasets:
    """The finished datasets of one corpus, tokenizer and level list; open it in any process."""

    root: Path
    num_windows: dict[Split, int]

    @classmethod
    def open(cls, root: str | Path) -> LevelDatasets:
        """Verify every file against the manifest; raises DigestMismatch naming the first wrong one."""
        root = Path(root)
        try:
            manifest = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError) as exc:
            raise DigestMismatch(
                f"{root} holds no finished datasets ({exc}); run the training again to make them"
            ) from exc
        for name, digest in manifest["files"].items():
            path = root / name
            if not path.is_file() or sha256_of(path) != digest:
                raise DigestMismatch(
                    f"{path} is not what was written there; run the training again to make it anew"
                )
        return cls(root=root, num_windows=manifest["num_windows"])

    def level(self, name: str, split: Split) -> Dataset:
        """One level's rows, for `loader.load_batch`."""
        return Dataset.load_from_disk(str(self.root / "levels" / name / split))

    def tokenized(self, split: Split) -> TokenizedSplit:
        """The split's documents as ids, in the order of `corpus.split(split)`."""
        return TokenizedSplit.load(self.root / "tokens" / split)


class LevelRows:
    """Rows of one level and split, collected and then written as one Arrow table."""

    def __init__(self) -> None:
        self._ids: list[np.ndarray] = []
        self._numbers: list[tuple[int, int, int, int]] = []

    def add(self, window: Window, input_ids: Sequence[int], window_start: int) -> None:
        self._ids.append(np.array(input_ids, dtype=np.uint16))
        num_window_tokens = len(input_ids) - window_start
        self._numbers.append((window_start, window.document, window.start, num_window_tokens))

    def save(self, folder: Path) -> None:
        """Write the table for `Dataset.load_from_disk`; ids in 16 bits, as in soft targets.

        window_start is the index in input_ids of the first window token; document and token_start
        say where in the TokenizedSplit the window was cut.
        """
        flat = np.concatenate([*self._ids, np.empty(0, np.uint16)])
        offsets = np.cumsum([0, *map(len, self._ids)], dtype=np.int32)
        numbers = np.array(self._numbers, dtype=np.int32).reshape(-1, 4)
        table = pa.table(
            {
                "input_ids": pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat)),
                "window_start": pa.array(numbers[:, 0]),
                "document": pa.array(numbers[:, 1]),
                "token_start": pa.array(numbers[:, 2]),
                "num_window_tokens": pa.array(numbers[:, 3]),
            }
        )
        # A fixed fingerprint: a random one would make equal datasets differ in their files.
        fingerprint = hashlib.sha256(flat.tobytes() + numbers.tobytes()).hexdigest()[:16]
        dataset = Dataset(InMemoryTable(table), fingerprint=fingerprint)
        with quiet_datasets():
            dataset.save_to_disk(str(folder), num_shards=1)


@contextmanager
def quiet_datasets() -> Iterator[None]:
    """Without the progress bars of `datasets`: ours say more and write to one place."""
    was_on = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if was_on:
            datasets.enable_progress_bars()


def write_manifest(root: Path, num_windows: Mapping[Split, int]) -> None:
    """Name every file with its sha256; written last, so a folder with a manifest is complete."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    for path in files:
        sync(path)
    values = {
        "num_windows": dict(num_windows),
        "files": {path.relative_to(root).as_posix(): sha256_of(path) for path in files},
    }
    write_json(root / MANIFEST, values)


def publish(aside: Path, root: Path) -> None:
    """Give the finished folder its name; another process may have been faster with equal content."""
    try:
        aside.rename(root)
    except OSError:
        if not (root / MANIFEST).is_file():
            raise
