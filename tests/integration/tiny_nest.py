"""A registered nest of three tiny levels with random weights: real files, real formats, quick to load."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from nested_ray.config.levels import ScratchModel
from nested_ray.config.train import TokenizerConfig
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.files import write_text
from nested_ray.inference.bundle import LevelSpec, NestSpec, level_folder, write_spec
from nested_ray.memory import LEVEL_EXPERTS, NUM_BUCKETS, MixingWeights, NgramIndex
from nested_ray.models import build_model, save_model
from nested_ray.registry.records import LevelRecord, NestDraft, NestVersion
from nested_ray.registry.registry import Registry
from nested_ray.repository.definitions import DefinitionIndex

TEXTS = (
    "import os\n\n\ndef total(values):\n    result = 0\n    for value in values:\n"
    "        result += value\n    return result\n",
    "def mean(values):\n    if not values:\n        return 0\n"
    "    return total(values) / len(values)\n",
    "Функция Сумма(Значения) Экспорт\n\tИтог = 0;\n\tВозврат Итог;\nКонецФункции\n",
)
LEVELS = (
    LevelSpec("syntax", "syntax", 0.3, 0),
    LevelSpec("semantics", "semantics", 0.5, 24),
    LevelSpec("architecture", "architecture", 0.2, 24),
)
WINDOW_TOKENS = 48


def publish_tiny_nest(registry: Registry, folder: Path, *, run_id: str, seed: int) -> NestVersion:
    """Write a nest under `folder` and register it as the next version of `default`."""
    write_tiny_nest(folder, seed)
    files = {
        str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()
    }
    levels = tuple(
        LevelRecord(level.name, level.kind, position, level.weight, 1, {"bits_per_byte": 3.0}, {})
        for position, level in enumerate(LEVELS)
    )
    draft = NestDraft(
        nest="default",
        run_id=run_id,
        corpus_digest="0" * 64,
        config={"seed": seed},
        metrics={"report": "none"},
        levels=levels,
        files=files,
    )
    return registry.publish(draft)


def write_tiny_nest(folder: Path, seed: int) -> None:
    """Every file of a nest directory."""
    torch.set_num_threads(1)
    tokenizer = NestTokenizer.train(TEXTS, TokenizerConfig(vocab_size=512))
    folder.mkdir(parents=True)
    tokenizer.save(folder / "tokenizer.json")
    documents = [tokenizer.encode(text) for text in TEXTS]
    NgramIndex.build(documents, vocab_size=tokenizer.vocab_size, max_order=8).save(
        folder / "memory"
    )
    DefinitionIndex([]).save(folder / "repository" / "definitions.json")
    for position, level in enumerate(LEVELS):
        model = build_model(
            ScratchModel(),
            vocab_size=tokenizer.vocab_size,
            max_positions=128,
            seed=seed + position,
        )
        save_model(model, level_folder(folder, level.name))
        mixing = MixingWeights(LEVEL_EXPERTS, np.tile([0.5, 0.2, 0.3], (NUM_BUCKETS, 1)))
        write_text(level_folder(folder, level.name) / "mixing.json", mixing.to_json())
    write_spec(folder, NestSpec(tokenizer.hash, WINDOW_TOKENS, LEVELS, ("python", "bsl")))
