"""The code an old nest was trained on, where it can still be had, joined with the new code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from nested_ray.config.continual import ReplayConfig
from nested_ray.config.corpus import CorpusConfig
from nested_ray.config.train import TrainConfig
from nested_ray.corpus.build import build_corpus
from nested_ray.corpus.documents import Corpus
from nested_ray.corpus.joining import JoinedCorpus, join_corpora
from nested_ray.corpus.shards import load_corpus, save_corpus
from nested_ray.errors import ConfigError, CorpusError, DigestMismatch
from nested_ray.files import write_json
from nested_ray.registry.records import NestVersion

CORPUS_FOLDER = "corpus"
JOINED_FILE = "joined.json"
UNIQUE_PART_CHARS = 13
"""A run's unique id is the name of its folder, a dash and 12 hex digits."""

OnFile = Callable[[int, str], None]


@dataclass(frozen=True)
class Joined:
    """What a continued run's corpus is made of."""

    num_new: int
    """The first documents of the corpus; the others are old."""
    num_old: int
    origin: str
    """Where the old documents come from, or why there are none."""


def make_joined(
    config: TrainConfig, parent: NestVersion, runs: Path, folder: Path, on_file: OnFile
) -> None:
    """Write new and old documents as one corpus into the folder, and which are which."""
    new = build_corpus(config.corpus, on_file)
    old, origin = find_old(parent, runs, config.continual.replay, on_file)
    joined = join_corpora(new, old) if old else JoinedCorpus(new, len(new.documents))
    save_corpus(joined.corpus, folder)
    num_old = len(joined.corpus.documents) - joined.num_new
    write_json(folder / JOINED_FILE, asdict(Joined(joined.num_new, num_old, origin)))


def read_joined(folder: Path) -> Joined | None:
    """What `make_joined` wrote; None for the corpus of a run that starts afresh."""
    path = folder / JOINED_FILE
    return Joined(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def find_old(
    parent: NestVersion, runs: Path, replay: ReplayConfig, on_file: OnFile
) -> tuple[Corpus | None, str]:
    """The parent's corpus and a sentence on where it was found, or None and what can be done.

    First the corpus its run has kept, then the sources that the user names, then the sources its
    config names, when reading them again gives the very same corpus.
    """
    folder = runs / parent.run_id[:-UNIQUE_PART_CHARS] / CORPUS_FOLDER
    if (kept := _kept(folder, parent)) is not None:
        return kept, f"the corpus of run {folder.parent.name}"
    settings = _settings(parent)
    if replay.sources:
        settings = settings or CorpusConfig(sources=replay.sources)
        named = build_corpus(settings.model_copy(update={"sources": replay.sources}), on_file)
        if named.digest == parent.corpus_digest:
            return named, "continual.replay.sources, the very corpus of the old nest"
        return named, (
            "continual.replay.sources, which is not exactly what the old nest was trained on: some of "
            "what is held out now it may have learned, so what it knew before may look better than it was"
        )
    if settings is not None and (again := _read_again(settings, on_file)) is not None:
        if again.digest == parent.corpus_digest:
            return again, "its sources, read again"
    return None, (
        f"the corpus {parent.label} was trained on is not at hand ({folder} is not it, its sources have "
        "changed or are gone): nothing old is replayed, remembered word for word or measured. Name its "
        "code in continual.replay.sources to keep what it knows"
    )


def _kept(folder: Path, parent: NestVersion) -> Corpus | None:
    try:
        corpus = load_corpus(folder)
    except (CorpusError, DigestMismatch):
        return None
    return corpus if corpus.digest == parent.corpus_digest else None


def _settings(parent: NestVersion) -> CorpusConfig | None:
    """How the parent's code was read; None when this release does not know its settings."""
    try:
        return CorpusConfig.from_values(parent.config.get("corpus") or {})
    except ConfigError:
        return None


def _read_again(settings: CorpusConfig, on_file: OnFile) -> Corpus | None:
    try:
        return build_corpus(settings, on_file)
    except (CorpusError, ConfigError):
        return None
