"""The registered version that a run goes on from: fixed at its start, then the same for every attempt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from nested_ray.config.continual import ContinualConfig
from nested_ray.config.levels import (
    FineTuned,
    LearningRate,
    LevelConfig,
    ProdigyLR,
    RegistryModel,
    ScratchModel,
)
from nested_ray.config.train import RegistryTokenizer, TrainConfig
from nested_ray.errors import ConfigError
from nested_ray.files import write_json
from nested_ray.registry.records import NestVersion
from nested_ray.train.sources import NestFiles

PARENT_FILE = "parent.json"
CHAMPION = "champion"
OWN_ALIASES = (CHAMPION, "candidate")
"""Words that mean an alias of the config's own nest when they stand alone."""

RateT = TypeVar("RateT", bound=LearningRate)


def parse_parent(text: str, own_nest: str) -> tuple[str, str]:
    """Nest and reference of `NEST`, `NEST@REF`, `champion` or `@REF` (of the own nest)."""
    nest, at, ref = text.partition("@")
    if not at and text in OWN_ALIASES:
        return own_nest, text
    return nest or own_nest, ref or CHAMPION


def fix_parent(config: TrainConfig, run_folder: Path, registry: NestFiles) -> NestVersion | None:
    """The version to go on from, None for a run that starts afresh.

    The first call of a run writes its number down: an alias that moves later changes nothing.
    Raises NestNotFound, VersionNotFound or AliasNotFound.
    """
    if config.continual.parent is None:
        return None
    kept = run_folder / PARENT_FILE
    if kept.exists():
        facts = json.loads(kept.read_text(encoding="utf-8"))
        return registry.resolve(facts["nest"], facts["version"])
    version = registry.resolve(*parse_parent(config.continual.parent, config.nest))
    write_json(kept, {"nest": version.nest, "version": version.version})
    return version


def continued(config: TrainConfig, parent: NestVersion) -> TrainConfig:
    """The config with the parent's tokenizer and weights, continuing rates and update frequencies.

    A level sees as many batches as its budget says, in fewer updates where it gathers more of them.
    Raises ConfigError when the levels are not the parent's.
    """
    check_levels(config, parent)
    levels = tuple(
        continued_level(level, position, config, parent)
        for position, level in enumerate(config.levels)
    )
    return config.model_copy(
        update={
            "tokenizer": RegistryTokenizer(
                type="registry", nest=parent.nest, version=parent.version
            ),
            "levels": levels,
            "continual": config.continual.model_copy(update={"parent": parent.label}),
        }
    )


def check_levels(config: TrainConfig, parent: NestVersion) -> None:
    ours = [f"{level.name} ({level.kind})" for level in config.levels]
    theirs = [
        f"{level.name} ({level.kind})"
        for level in sorted(parent.levels, key=lambda level: level.position)
    ]
    if ours != theirs:
        raise ConfigError(
            f"{parent.label} has the levels {', '.join(theirs)}; the config has {', '.join(ours)}. "
            "A nest goes on with the same names and kinds in the same order: change the config's levels"
        )


def continued_level(
    level: LevelConfig, position: int, config: TrainConfig, parent: NestVersion
) -> LevelConfig:
    source = level.model
    fine_tuning = (
        {"lora": source.lora, "weights": source.weights} if isinstance(source, FineTuned) else {}
    )
    model = RegistryModel(nest=parent.nest, version=parent.version, level=level.name, **fine_tuning)
    return paced(level, position, config.continual).model_copy(update={"model": model})


def paced(level: LevelConfig, position: int, settings: ContinualConfig) -> LevelConfig:
    """The level with its continuing rate and frequency, and as many batches as before."""
    budget = level.budget
    every = settings.update_every.get(level.name, budget.update_every << position)
    slower = budget.update_every / every
    factor = settings.lr_factor if isinstance(level.model, ScratchModel) else 1.0
    return level.model_copy(
        update={
            "lr": continued_lr(level.lr, factor, slower),
            "budget": budget.model_copy(
                update={
                    "update_every": every,
                    "max_steps": scaled(budget.max_steps, slower),
                    "checkpoint_every_steps": scaled(budget.checkpoint_every_steps, slower),
                }
            ),
        }
    )


def continued_lr(lr: RateT, factor: float, slower: float) -> RateT:
    """A lower peak, and a warm-up of as many batches; Prodigy finds its rate itself."""
    if isinstance(lr, ProdigyLR):
        return lr
    warmup_steps = round(lr.warmup_steps * slower)
    return lr.model_copy(update={"peak": lr.peak * factor, "warmup_steps": warmup_steps})


def scaled(steps: int, factor: float) -> int:
    return max(1, round(steps * factor))
