"""A tiny nest with random weights, and the parts of it that tests look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from nested_ray.config.levels import ScratchModel
from nested_ray.config.train import TokenizerConfig
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.files import write_text
from nested_ray.inference.bundle import LevelSpec, NestSpec, level_folder, write_spec
from nested_ray.memory import LEVEL_EXPERTS, NUM_BUCKETS, MixingWeights, NgramIndex
from nested_ray.models import build_model, save_model
from nested_ray.repository.definitions import DefinitionIndex

TEXTS = (
    "import os\n\n\ndef total(values):\n    result = 0\n    for value in values:\n"
    "        result += value\n    return result\n",
    "def mean(values):\n    if not values:\n        return 0\n"
    "    return total(values) / len(values)\n",
    "Функция Сумма(Значения) Экспорт\n\tИтог = 0;\n\tВозврат Итог;\nКонецФункции\n",
)

WINDOW_TOKENS = 48

LEVELS = (
    LevelSpec("syntax", "syntax", 0.3, 0),
    LevelSpec("semantics", "semantics", 0.7, 24),
)


@pytest.fixture(scope="session")
def tokenizer() -> NestTokenizer:
    return NestTokenizer.train(TEXTS, TokenizerConfig(vocab_size=512))


@pytest.fixture(scope="session")
def nest_dir(tokenizer: NestTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A nest directory in which memory and level share the word, half and half."""
    torch.set_num_threads(1)
    return write_nest(tmp_path_factory.mktemp("nest"), tokenizer)


def write_nest(folder: Path, tokenizer: NestTokenizer) -> Path:
    tokenizer.save(folder / "tokenizer.json")
    index = NgramIndex.build(
        [tokenizer.encode(text) for text in TEXTS], vocab_size=tokenizer.vocab_size, max_order=8
    )
    index.save(folder / "memory")
    DefinitionIndex([]).save(folder / "repository" / "definitions.json")
    for seed, level in enumerate(LEVELS):
        model = build_model(
            ScratchModel(), vocab_size=tokenizer.vocab_size, max_positions=128, seed=seed
        )
        with torch.no_grad():  # fresh weights say almost the same after every text
            for weight in model.parameters():
                weight.mul_(1.5 if weight.dim() > 1 else 1.0)
        save_model(model, level_folder(folder, level.name))
        mixing = MixingWeights(LEVEL_EXPERTS, np.tile([0.25, 0.25, 0.5], (NUM_BUCKETS, 1)))
        write_text(level_folder(folder, level.name) / "mixing.json", mixing.to_json())
    write_spec(folder, NestSpec(tokenizer.hash, WINDOW_TOKENS, LEVELS, ("python", "bsl")))
    return folder


@pytest.fixture
def copy_nest(nest_dir: Path, tmp_path: Path) -> Callable[[], Path]:
    """A nest directory of the test's own, to be damaged."""
    import shutil

    return lambda: Path(shutil.copytree(nest_dir, tmp_path / "copy"))
