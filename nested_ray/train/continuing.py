"""The training rows of a continued run: which are old, and how often they are replayed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from nested_ray.config.train import TrainConfig
from nested_ray.corpus.documents import Corpus, Document, Split
from nested_ray.datasets.build import OldPart
from nested_ray.datasets.loader import Replay
from nested_ray.datasets.store import LevelDatasets
from nested_ray.train.old_corpus import Joined

Code = Literal["old", "new"]


def old_part(config: TrainConfig, joined: Joined | None) -> OldPart | None:
    """What the datasets are told about old documents; None where there are none."""
    if joined is None or not joined.num_old:
        return None
    replay = config.continual.replay
    return OldPart(joined.num_new, replay.max_windows if replay.share else 0)


def replay_of(
    config: TrainConfig, corpus: Corpus, datasets: LevelDatasets, joined: Joined | None
) -> Replay | None:
    """The old rows of the training split; None where nothing is replayed."""
    share = config.continual.replay.share
    if joined is None or not share:
        return None
    first_row = first_old_row(config, corpus, datasets, joined, "train")
    return Replay(first_row, share) if first_row < datasets.num_windows["train"] else None


def first_old_row(
    config: TrainConfig, corpus: Corpus, datasets: LevelDatasets, joined: Joined, split: Split
) -> int:
    """Rows of a split from this one on are windows of old documents; the same at every level."""
    num_new = len(documents_of(corpus, joined, split, "new"))
    rows = datasets.level(config.levels[0].name, split).with_format("numpy")
    return int(np.searchsorted(rows["document"][:], num_new)) if len(rows) else 0


def documents_of(corpus: Corpus, joined: Joined, split: Split, code: Code) -> list[Document]:
    """New or old documents of a split, in the order of the split."""
    part = slice(joined.num_new) if code == "new" else slice(joined.num_new, None)
    return [document for document in corpus.documents[part] if document.split == split]


def notes(joined: Joined, replay: Replay | None, datasets: LevelDatasets) -> Iterator[str]:
    """What whoever watches should know of the old code."""
    if not joined.num_old:
        yield f"NO REPLAY: {joined.origin}"
        return
    yield f"{joined.num_new:,} new documents and {joined.num_old:,} old ones from {joined.origin}"
    if replay is None:
        yield "NO REPLAY: its share is 0; old code is remembered word for word, but the levels may forget"
        return
    num_old = datasets.num_windows["train"] - replay.first_row
    yield f"{replay.share:.0%} of each level's windows are replayed, out of {num_old:,} old ones"
