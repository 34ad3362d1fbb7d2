"""Predictors: what is compared — memory, every level and the ensemble, alone and with memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nested_ray.files import write_text
from nested_ray.inference.bundle import (
    CHOICE_FILE,
    MEMORY_FOLDER,
    MIXING_FILE,
    NestSpec,
    level_folder,
    read_spec,
)
from nested_ray.inference.loading import load_unmixed_engine
from nested_ray.inference.torch_engine import TorchEngine
from nested_ray.inference.writer import LevelMixing
from nested_ray.memory import LEVEL_EXPERTS, MixingWeights, NgramIndex


@dataclass(frozen=True)
class NestMixing:
    """Fitted weights of a nest."""

    memory: MixingWeights
    """Corpus and cache, where memory answers alone."""
    levels: Mapping[str, LevelMixing]
    """Corpus, cache and level, by level name."""

    def write(self, nest_dir: Path) -> None:
        """`mixing.json` of memory, `mixing.json` and `choice.json` of every level."""
        write_text(nest_dir / MEMORY_FOLDER / MIXING_FILE, self.memory.to_json())
        for name, mixing in self.levels.items():
            folder = level_folder(nest_dir, name)
            write_text(folder / MIXING_FILE, mixing.probabilities.to_json())
            if mixing.choice is not None:
                write_text(folder / CHOICE_FILE, mixing.choice.to_json())

    def choosing_as_memory(self, names: Collection[str]) -> NestMixing:
        """The same, but these levels leave every choice to memory."""
        without_level_BE = np.pad(self.memory.weights, ((0, 0), (0, 1)))
        as_memory = MixingWeights(LEVEL_EXPERTS, without_level_BE)
        levels = {
            name: replace(mixing, choice=as_memory) if name in names else mixing
            for name, mixing in self.levels.items()
        }
        return replace(self, levels=levels)


@dataclass(frozen=True)
class Predictors:
    """The levels of one nest with the weights by which memory is mixed in."""

    engines: Mapping[str, TorchEngine]
    """By level name, from the smallest to the largest."""
    ensemble_weights: Mapping[str, float]
    mixing: NestMixing | None = None
    """None before it is fitted: then only the levels alone can answer."""

    @classmethod
    def load(cls, nest_dir: Path, spec: NestSpec | None = None) -> Predictors:
        """Every level of a nest directory, not mixed with memory yet."""
        spec = spec or read_spec(nest_dir)
        return cls(
            engines={
                level.name: load_unmixed_engine(nest_dir, level.name) for level in spec.levels
            },
            ensemble_weights={level.name: level.weight for level in spec.levels},
        )

    def mixed_by(self, mixing: NestMixing) -> Predictors:
        engines = {
            name: engine.mixed_by(mixing.levels[name]) for name, engine in self.engines.items()
        }
        return replace(self, engines=engines, mixing=mixing)

    @property
    def any_engine(self) -> TorchEngine:
        """Tokenizer, vocabulary and memory are the same in all."""
        return next(iter(self.engines.values()))

    @property
    def index(self) -> NgramIndex:
        return self.any_engine.memory.index

    @property
    def memory_mixing(self) -> MixingWeights:
        """Weights of memory alone."""
        return self.fitted.memory

    def level_mixing(self, name: str) -> LevelMixing:
        """Weights of memory and a level."""
        return self.fitted.levels[name]

    @property
    def fitted(self) -> NestMixing:
        if self.mixing is None:
            raise ValueError("memory can be mixed in only after its weights are fitted")
        return self.mixing
