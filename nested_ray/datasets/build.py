"""Corpus × levels → datasets on disk: row i of every level is the same window."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from nested_ray.config.train import TrainConfig
from nested_ray.corpus.documents import Corpus, Document, Split
from nested_ray.datasets.examples import context_budgets, encode_level_input
from nested_ray.datasets.fim import rearrange_window
from nested_ray.datasets.store import (
    SPLITS,
    LevelDatasets,
    LevelRows,
    publish,
    write_manifest,
)
from nested_ray.datasets.tokenized import tokenize_documents
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.datasets.windows import Window, places, split_windows
from nested_ray.errors import DigestMismatch
from nested_ray.levels.base import Level

logger = logging.getLogger(__name__)

FORMAT = 3
"""Raised when equal input is to give other rows."""

Progress = Callable[[int, int, str], None]
"""Called with windows done, windows in all and the split."""


@dataclass(frozen=True)
class OldPart:
    """The documents of a corpus that an earlier nest has learned already."""

    num_new: int
    """Documents of the corpus after the first `num_new` are old."""
    max_windows: int
    """Windows of them in the training split; a deterministic sample where there are more."""


def build_level_datasets(
    corpus: Corpus,
    tokenizer: NestTokenizer,
    levels: Mapping[str, Level],
    config: TrainConfig,
    out_dir: str | Path,
    progress: Progress | None = None,
    old: OldPart | None = None,
) -> LevelDatasets:
    """Write every level's rows of every split below `out_dir`, or open what an equal call wrote.

    `levels` maps kinds to levels (`build_levels`). Rows of old documents follow those of new ones.
    A crash leaves nothing that is taken for finished.
    """
    root = Path(out_dir) / input_digest(corpus, tokenizer, config, old)
    if (found := open_finished(root)) is not None:
        return found
    root.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        num_windows = {}
        for split in SPLITS:
            builder = SplitBuilder(
                tokenizer,
                levels,
                config,
                split,
                aside,
                num_new=count_new(corpus, split, old),
                old=old,
            )
            num_windows[split] = builder.build(list(corpus.split(split)), progress)
        write_manifest(aside, num_windows)
        publish(aside, root)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return LevelDatasets.open(root)


def open_finished(root: Path) -> LevelDatasets | None:
    """What an equal call left there; damaged datasets are removed, for they can be made again."""
    if not root.exists():
        return None
    try:
        return LevelDatasets.open(root)
    except DigestMismatch as exc:
        logger.warning("building the datasets anew: %s", exc)
        shutil.rmtree(root)
        return None


class SplitBuilder:
    """Builds one split of all levels at once, so that their rows stay aligned."""

    def __init__(
        self,
        tokenizer: NestTokenizer,
        levels: Mapping[str, Level],
        config: TrainConfig,
        split: Split,
        root: Path,
        *,
        num_new: int | None = None,
        old: OldPart | None = None,
    ) -> None:
        """Of the split's documents those after the first `num_new` are old; None: there are no old ones."""
        self._tokenizer, self._levels, self._config = tokenizer, levels, config
        self._split: Split = split
        self._root = root
        self._num_new, self._old = num_new, old
        self._budgets = {
            level.name: context_budgets(level, config.levels) for level in config.levels
        }
        self._rows = {level.name: LevelRows() for level in config.levels}

    def build(self, documents: Sequence[Document], progress: Progress | None) -> int:
        """Write tokens and rows; gives the number of windows."""
        tokens = tokenize_documents(documents, self._tokenizer)
        tokens.save(self._root / "tokens" / self._split)
        windows = self._windows(np.diff(tokens.offsets).tolist())
        done = 0
        for document, group in by_document(windows):
            self._add_document(documents[document], tokens.document(document), group)
            done += len(group)
            if progress is not None:
                progress(done, len(windows), self._split)
        for name, rows in self._rows.items():
            rows.save(self._root / "levels" / name / self._split)
        return len(windows)

    def _windows(self, lengths: Sequence[int]) -> list[Window]:
        settings, seed = self._config.windows, self._config.seed
        most_new = most_old = settings.max_windows
        if self._old is not None and self._split == "train":
            most_old = min(most_old, self._old.max_windows)
        new, size = lengths[: self._num_new], settings.window_tokens
        windows = split_windows(new, window_tokens=size, max_windows=most_new, seed=seed)
        rest = lengths[len(new) :]
        old = split_windows(rest, window_tokens=size, max_windows=most_old, seed=seed)
        return windows + [replace(each, document=each.document + len(new)) for each in old]

    def _add_document(self, document: Document, ids: np.ndarray, windows: Sequence[Window]) -> None:
        for window, place in zip(
            windows, places(document, ids, windows, self._tokenizer), strict=True
        ):
            window_ids = ids[window.start : window.start + window.num_tokens].tolist()
            if self._split == "train":
                window_ids = rearrange_window(
                    window_ids,
                    self._tokenizer,
                    seed=self._config.seed,
                    share=self._config.windows.fim_share,
                )
            for name, budgets in self._budgets.items():
                input_ids, start = encode_level_input(
                    self._tokenizer, self._levels, budgets, place, window_ids
                )
                self._rows[name].add(window, input_ids, start)


def by_document(windows: Sequence[Window]) -> Iterator[tuple[int, list[Window]]]:
    for document, group in groupby(windows, key=lambda window: window.document):
        yield document, list(group)


def count_new(corpus: Corpus, split: Split, old: OldPart | None) -> int | None:
    """How many of a split's documents are new; None where all are."""
    if old is None:
        return None
    return sum(document.split == split for document in corpus.documents[: old.num_new])


def input_digest(
    corpus: Corpus, tokenizer: NestTokenizer, config: TrainConfig, old: OldPart | None = None
) -> str:
    """sha256 (first 16 hex) of everything that decides what the rows are."""
    values = {
        "format": FORMAT,
        "documents": [(d.source, d.path, d.digest, d.split) for d in corpus.documents],
        "tokenizer": tokenizer.hash,
        "windows": config.windows.model_dump(),
        "levels": [(level.name, level.kind, level.context_tokens) for level in config.levels],
        "seed": config.seed,
        **({"old": [old.num_new, old.max_windows]} if old else {}),
    }
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
