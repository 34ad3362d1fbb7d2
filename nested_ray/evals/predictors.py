"""Predictors: what is compared — memory, every level and the ensemble, alone and with memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nested_ray.inference.bundle import (
    MEMORY_FOLDER,
    MIXING_FILE,
    NestSpec,
    level_folder,
    read_spec,
    write_text,
)
from nested_ray.inference.loading import load_unmixed_engine
from nested_ray.inference.torch_engine import TorchEngine
from nested_ray.memory import MixingWeights, NgramIndex


@dataclass(frozen=True)
class NestMixing:
    """Fitted weights of a nest."""

    memory: MixingWeights
    """Corpus and cache, where memory answers alone."""
    levels: Mapping[str, MixingWeights]
    """Corpus, cache and level, by level name."""

    def write(self, nest_dir: Path) -> None:
        """`memory/mixing.json` and `levels/<name>/mixing.json`."""
        write_text(nest_dir / MEMORY_FOLDER / MIXING_FILE, self.memory.to_json())
        for name, weights in self.levels.items():
            write_text(level_folder(nest_dir, name) / MIXING_FILE, weights.to_json())


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
        """Weights of memory alone; raises ValueError before they are fitted."""
        if self.mixing is None:
            raise ValueError("memory answers alone only after its weights are fitted")
        return self.mixing.memory
