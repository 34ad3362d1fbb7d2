"""From a config to what the levels train on: corpus, tokenizer, datasets, memory. Each is one stage of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nested_ray.config.levels import LevelConfig
from nested_ray.config.train import TrainConfig
from nested_ray.corpus.build import build_corpus
from nested_ray.corpus.documents import Corpus
from nested_ray.corpus.preflight import preflight, render
from nested_ray.corpus.shards import load_corpus, save_corpus
from nested_ray.datasets.build import build_level_datasets
from nested_ray.datasets.loader import Replay
from nested_ray.datasets.store import LevelDatasets
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.levels import build_levels, index_definitions
from nested_ray.memory import NgramIndex
from nested_ray.registry.records import NestVersion
from nested_ray.repository.definitions import DefinitionIndex
from nested_ray.train.continuing import notes, old_part, replay_of
from nested_ray.train.job import max_positions
from nested_ray.train.old_corpus import CORPUS_FOLDER, Joined, make_joined, read_joined
from nested_ray.train.remote_teacher import check_remote_levels
from nested_ray.train.reporter import Reporter
from nested_ray.train.rundir import RunDir
from nested_ray.train.sources import NestFiles, check_sources, make_start_model, nest_tokenizer

TOKENIZER_FILE = "tokenizer.json"
DEFINITIONS_FILE = "definitions.json"
OUTLINES = "outlines"
"""Folder of a run with what was read of each file, so that it is read once."""


@dataclass(frozen=True)
class Prepared:
    """Everything that is the same for all levels."""

    corpus: Corpus
    tokenizer: NestTokenizer
    datasets: LevelDatasets
    definitions_file: Path
    tokenizer_file: Path
    memory_folder: Path
    start_models: dict[str, Path]
    """By level name, what those start from that do not start from random weights."""
    joined: Joined | None = None
    """Which documents are new and which old, in a run that goes on from a registered version."""
    replay: Replay | None = None
    """Which training rows are old."""


def prepare(
    config: TrainConfig,
    run: RunDir,
    reporter: Reporter,
    registry: NestFiles,
    parent: NestVersion | None = None,
) -> Prepared:
    """Read the code, learn its tokens, cut its windows, remember it word for word.

    With a parent, its code is read too, where it can be had, and lies behind the new code.
    """
    check_sources(config)
    check_remote_levels(config)
    corpus = prepare_corpus(config, run, reporter, parent)
    joined = read_joined(run.path / CORPUS_FOLDER) if parent else None
    tokenizer_folder = prepare_tokenizer(config, corpus, run, reporter, registry)
    tokenizer = NestTokenizer.load(tokenizer_folder / TOKENIZER_FILE)
    start_models = prepare_start_models(config, tokenizer, run, reporter, registry)
    definitions_folder = prepare_definitions(corpus, run, reporter)
    definitions = DefinitionIndex.load(definitions_folder / DEFINITIONS_FILE)
    datasets = prepare_datasets(config, corpus, tokenizer, definitions, run, reporter, joined)
    replay = replay_of(config, corpus, datasets, joined)
    for text in notes(joined, replay, datasets) if joined else ():
        reporter.note(text)
    memory_folder = prepare_memory(config, tokenizer, datasets, run, reporter)
    return Prepared(
        corpus=corpus,
        tokenizer=tokenizer,
        datasets=datasets,
        definitions_file=definitions_folder / DEFINITIONS_FILE,
        tokenizer_file=tokenizer_folder / TOKENIZER_FILE,
        memory_folder=memory_folder,
        start_models=start_models,
        joined=joined,
        replay=replay,
    )


def prepare_corpus(
    config: TrainConfig, run: RunDir, reporter: Reporter, parent: NestVersion | None = None
) -> Corpus:
    """Read and split the sources; a run that goes on keeps the corpus it started with."""
    with reporter.stage("reading the corpus") as advance:

        def on_file(count: int, path: str) -> None:
            advance(count, None, path)

        def make(aside: Path) -> None:
            if parent is None:
                save_corpus(build_corpus(config.corpus, on_file), aside)
            else:
                make_joined(config, parent, run.path.parent, aside, on_file)

        folder = run.stage(CORPUS_FOLDER, make)
        corpus = load_corpus(folder)
        advance(len(corpus.documents), None, f"{len(corpus.documents):,} documents")
    reporter.show(render(preflight(corpus)))
    return corpus


def prepare_tokenizer(
    config: TrainConfig, corpus: Corpus, run: RunDir, reporter: Reporter, registry: NestFiles
) -> Path:
    """Byte-level BPE that all levels share."""

    def make(aside: Path) -> None:
        nest_tokenizer(config.tokenizer, corpus, registry).save(aside / TOKENIZER_FILE)

    trained = config.tokenizer.type == "trained"
    with reporter.stage("training the tokenizer" if trained else "preparing the tokenizer"):
        return run.stage("tokenizer", make)


def prepare_start_models(
    config: TrainConfig,
    tokenizer: NestTokenizer,
    run: RunDir,
    reporter: Reporter,
    registry: NestFiles,
) -> dict[str, Path]:
    """Pretrained and registered models under the nest's vocabulary, one folder per level."""
    folders = {}
    for level in config.levels:
        if level.model.type == "scratch":
            continue

        def make(aside: Path, level: LevelConfig = level) -> None:
            make_start_model(
                level,
                tokenizer,
                registry,
                aside,
                max_positions=max_positions(config),
                note=lambda facts: reporter.note(str(facts)),
            )

        with reporter.stage(f"preparing what {level.name} starts from"):
            folders[level.name] = run.stage(f"start-{level.name}", make)
    return folders


def prepare_definitions(corpus: Corpus, run: RunDir, reporter: Reporter) -> Path:
    """Where the names of the training split are defined: the architecture level's context."""

    def make(aside: Path) -> None:
        index_definitions(corpus.split("train"), run.path / OUTLINES).save(aside / DEFINITIONS_FILE)

    with reporter.stage("indexing definitions"):
        return run.stage("definitions", make)


def prepare_datasets(
    config: TrainConfig,
    corpus: Corpus,
    tokenizer: NestTokenizer,
    definitions: DefinitionIndex,
    run: RunDir,
    reporter: Reporter,
    joined: Joined | None = None,
) -> LevelDatasets:
    """Every level's context before the same windows."""
    levels = build_levels((level.kind for level in config.levels), definitions)
    with reporter.stage("cutting windows") as advance:
        return build_level_datasets(
            corpus,
            tokenizer,
            levels,
            config,
            run.path / "datasets",
            advance,
            old_part(config, joined),
        )


def prepare_memory(
    config: TrainConfig,
    tokenizer: NestTokenizer,
    datasets: LevelDatasets,
    run: RunDir,
    reporter: Reporter,
) -> Path:
    """The n-gram index of the training split."""

    def make(aside: Path) -> None:
        documents = datasets.tokenized("train").documents()
        index = NgramIndex.build(
            documents, vocab_size=tokenizer.vocab_size, max_order=config.memory.max_order
        )
        index.save(aside)

    with reporter.stage("indexing what is remembered word for word"):
        return run.stage("memory", make)
