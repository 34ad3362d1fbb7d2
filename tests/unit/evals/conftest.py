"""A tiny corpus, its datasets and a nest of two untrained levels over them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nested_ray.config.train import TrainConfig
from nested_ray.corpus.documents import Corpus, Document, digest_text
from nested_ray.datasets.build import build_level_datasets
from nested_ray.datasets.examples import context_budgets, max_input_tokens
from nested_ray.datasets.lines import sample_lines
from nested_ray.datasets.store import LevelDatasets
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.evals.heldout import Heldout
from nested_ray.inference.bundle import LevelSpec, NestSpec, level_folder, write_spec
from nested_ray.levels import build_levels
from nested_ray.memory import NgramIndex
from nested_ray.models import build_model, save_model
from nested_ray.repository.definitions import DefinitionIndex

CONFIG = TrainConfig.from_values(
    {
        "name": "tiny",
        "corpus": {"sources": [{"type": "folder", "path": "."}]},
        "tokenizer": {"vocab_size": 512},
        "windows": {"window_tokens": 32},
        "levels": [
            {"name": "syntax", "kind": "syntax", "weight": 0.3},
            {"name": "semantics", "kind": "semantics", "weight": 0.5, "context_tokens": 16},
        ],
    }
)


def make_text(number: int) -> str:
    lines = [f"import module_{number % 3}\n\n"]
    for name in ("total", "mean", "largest"):
        lines.append(
            f"\ndef {name}_{number % 5}(values):\n    result = {number % 7}\n"
            f"    for value in values:\n        result += value\n    return result\n"
        )
    return "".join(lines)


def make_corpus() -> Corpus:
    splits = ["train"] * 8 + ["validation"] * 4 + ["test"] * 4
    documents = tuple(
        Document(
            path=f"pkg/file_{number}.py",
            source="folder",
            language="python",
            text=make_text(number),
            digest=digest_text(make_text(number)),
            licence=None,
            split=split,
        )
        for number, split in enumerate(splits)
    )
    return Corpus(documents, (), 0, "digest")


@pytest.fixture(scope="session")
def nest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Heldout, Heldout]:
    """The nest directory before its evaluation; validation and test split."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("tiny")
    corpus = make_corpus()
    tokenizer = NestTokenizer.train((d.text for d in corpus.split("train")), CONFIG.tokenizer)
    levels = build_levels([level.kind for level in CONFIG.levels], DefinitionIndex([]))
    datasets = build_level_datasets(corpus, tokenizer, levels, CONFIG, root / "datasets")
    write_nest(root / "nest", tokenizer, datasets)
    validation, test = (
        Heldout.open(
            datasets,
            split,
            level_names=[level.name for level in CONFIG.levels],
            lines=sample_lines(list(corpus.split(split)), tokenizer, max_lines=6, seed=0),
        )
        for split in ("validation", "test")
    )
    return root / "nest", validation, test


def write_nest(folder: Path, tokenizer: NestTokenizer, datasets: LevelDatasets) -> None:
    tokenizer.save(folder / "tokenizer.json")
    documents = datasets.tokenized("train").documents()
    NgramIndex.build(documents, vocab_size=tokenizer.vocab_size, max_order=8).save(
        folder / "memory"
    )
    DefinitionIndex([]).save(folder / "repository" / "definitions.json")
    for seed, level in enumerate(CONFIG.levels):
        budgets = context_budgets(level, CONFIG.levels)
        model = build_model(
            level.model,
            vocab_size=tokenizer.vocab_size,
            max_positions=max_input_tokens(budgets, CONFIG.windows.window_tokens),
            seed=seed,
        )
        save_model(model, level_folder(folder, level.name))
    specs = tuple(
        LevelSpec(level.name, level.kind, level.weight, level.context_tokens)
        for level in CONFIG.levels
    )
    write_spec(folder, NestSpec(tokenizer.hash, 32, specs, ("python",)))
