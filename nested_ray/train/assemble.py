"""From trained levels to a nest directory, evaluated and ready to publish."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from safetensors import safe_open

from nested_ray.config.levels import LevelConfig
from nested_ray.config.train import TrainConfig
from nested_ray.inference.bundle import (
    DEFINITIONS_FILE,
    MEMORY_FOLDER,
    REPORT_FILE,
    TOKENIZER_FILE,
    LevelSpec,
    NestSpec,
    level_folder,
    write_spec,
)
from nested_ray.registry.records import LevelRecord, NestDraft
from nested_ray.train.prepare import Prepared

CONFIG_FILE = "config.yaml"


def assemble_nest(
    config: TrainConfig, prepared: Prepared, models: Mapping[str, Path], nest_dir: Path
) -> None:
    """Lay out everything that serving needs; `models` maps level names to model folders."""
    write_spec(nest_dir, nest_spec(config, prepared))
    shutil.copyfile(prepared.tokenizer_file, nest_dir / TOKENIZER_FILE)
    shutil.copytree(prepared.memory_folder, nest_dir / MEMORY_FOLDER)
    definitions = nest_dir / DEFINITIONS_FILE
    definitions.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(prepared.definitions_file, definitions)
    for name, model in models.items():
        shutil.copytree(model, level_folder(nest_dir, name))
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    (nest_dir / CONFIG_FILE).write_text(text, encoding="utf-8")


def nest_spec(config: TrainConfig, prepared: Prepared) -> NestSpec:
    """What the files of the nest need to know of each other."""
    return NestSpec(
        tokenizer_hash=prepared.tokenizer.hash,
        window_tokens=config.windows.window_tokens,
        levels=tuple(
            LevelSpec(level.name, level.kind, level.weight, level.context_tokens)
            for level in config.levels
        ),
        languages=tuple(sorted({document.language for document in prepared.corpus.documents})),
    )


def nest_draft(
    config: TrainConfig,
    nest_dir: Path,
    *,
    run_id: str,
    corpus_digest: str,
    level_metrics: Mapping[str, dict[str, float]],
) -> NestDraft:
    """What the registry is given: facts of the version and its files."""
    return NestDraft(
        nest=config.nest,
        run_id=run_id,
        corpus_digest=corpus_digest,
        config=config.model_dump(mode="json"),
        metrics=json.loads((nest_dir / REPORT_FILE).read_text(encoding="utf-8")),
        levels=tuple(level_records(config.levels, nest_dir, level_metrics)),
        files={
            path.relative_to(nest_dir).as_posix(): path
            for path in sorted(nest_dir.rglob("*"))
            if path.is_file()
        },
    )


def level_records(
    levels: tuple[LevelConfig, ...], nest_dir: Path, metrics: Mapping[str, dict[str, float]]
) -> Iterator[LevelRecord]:
    """One record per level, from the smallest to the largest."""
    for position, level in enumerate(levels):
        yield LevelRecord(
            name=level.name,
            kind=level.kind,
            position=position,
            weight=level.weight,
            num_parameters=num_parameters(level_folder(nest_dir, level.name)),
            metrics=metrics[level.name],
            config=level.model_dump(mode="json"),
        )


def num_parameters(model_folder: Path) -> int:
    """Counted from the weights file's header; tied weights are stored and counted once."""
    with safe_open(model_folder / "model.safetensors", framework="np") as weights:
        shapes = [weights.get_slice(name).get_shape() for name in weights.keys()]
    total = 0
    for shape in shapes:
        size = 1
        for length in shape:
            size *= length
        total += size
    return total
