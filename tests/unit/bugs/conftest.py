"""A tiny corpus with habits, and an untrained nest over it whose memory has read its training split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from nested_ray.config.review_training import ReviewTrainingConfig
from nested_ray.config.train import TokenizerConfig
from nested_ray.datasets.examples import context_budgets, max_input_tokens
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.evals.predictors import NestMixing
from nested_ray.inference.bundle import LevelSpec, NestSpec, level_folder, write_spec
from nested_ray.inference.writer import LevelMixing
from nested_ray.memory import LEVEL_EXPERTS, MEMORY_EXPERTS, NUM_BUCKETS, MixingWeights, NgramIndex
from nested_ray.models import build_model, save_model
from nested_ray.repository.definitions import DefinitionIndex

CONFIG = ReviewTrainingConfig(max_ranker_lines=2_000, max_calibration_lines=1_200, max_rescored=64)


@dataclass(frozen=True)
class Document:
    path: str
    language: str
    text: str


def make_text(number: int) -> str:
    """Functions in which the same words always stand the same way."""
    parts = []
    for step in range(6):
        name = f"{('row', 'cell', 'page')[step % 3]}_{(number + step) % 7}"
        parts.append(
            f"def resize_{name}(width, height, strict=False):\n"
            f"    total = width * height + {step % 2}\n"
            "    if width == 0 or height < 1:\n"
            "        return total - 1\n"
            "    if strict and total <= 0:\n"
            "        raise ValueError(width, height)\n"
            f"    draw_{name}(width, height, fill=True)\n"
            "    return total\n\n\n"
        )
    return "".join(parts)


def make_documents(first: int, count: int) -> list[Document]:
    return [
        Document(f"pkg/file_{number}.py", "python", make_text(number))
        for number in range(first, first + count)
    ]


@pytest.fixture(scope="session")
def train() -> list[Document]:
    return make_documents(0, 10)


@pytest.fixture(scope="session")
def validation() -> list[Document]:
    return make_documents(100, 12)


@pytest.fixture(scope="session")
def nest_dir(tmp_path_factory: pytest.TempPathFactory, train: list[Document]) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("bugs") / "nest"
    tokenizer = NestTokenizer.train((d.text for d in train), TokenizerConfig(vocab_size=512))
    tokenizer.save(folder / "tokenizer.json")
    ids = (tokenizer.encode(document.text) for document in train)
    NgramIndex.build(ids, vocab_size=tokenizer.vocab_size, max_order=8).save(folder / "memory")
    DefinitionIndex([]).save(folder / "repository" / "definitions.json")
    spec = LevelSpec("semantics", "semantics", 1.0, 16)
    save_model(untrained(spec, tokenizer), level_folder(folder, "semantics"))
    write_spec(folder, NestSpec(tokenizer.hash, 64, (spec,), ("python",)))
    mixing().write(folder)
    return folder


def untrained(spec: LevelSpec, tokenizer: NestTokenizer):
    from nested_ray.config.levels import ScratchModel

    budgets = context_budgets(spec, (spec,))
    return build_model(
        ScratchModel(),
        vocab_size=tokenizer.vocab_size,
        max_positions=max_input_tokens(budgets, 64),
        seed=0,
    )


def mixing() -> NestMixing:
    """Mostly memory: the level has learned nothing."""
    import numpy as np

    memory = MixingWeights(MEMORY_EXPERTS, np.tile([0.3, 0.7], (NUM_BUCKETS, 1)))
    level = MixingWeights(LEVEL_EXPERTS, np.tile([0.3, 0.6, 0.1], (NUM_BUCKETS, 1)))
    return NestMixing(memory, {"semantics": LevelMixing(level)})
