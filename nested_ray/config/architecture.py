"""Architecture settings of a repository: the `architecture` part of its `nested-ray.yaml`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from nested_ray.config.base import Settings


class LayerConfig(Settings):
    """One layer: the files that belong to it and what they may depend on."""

    name: str = Field(min_length=1, max_length=80)
    paths: tuple[str, ...] = Field(min_length=1)
    """Patterns as in .gitignore, relative to the root: `src/api/`, `**/*_view.py`. The first layer that
    matches a file has it."""
    may_use: tuple[str, ...] | None = None
    """Names of the layers its files may depend on, besides their own; unset: every layer below."""


class HubConfig(Settings):
    """When a module is depended on, or depends, far more than the others."""

    min_fan_in: int = Field(default=15, ge=2)
    """Fewer dependents are never called many."""
    min_fan_out: int = Field(default=15, ge=2)
    """Fewer dependencies are never called many."""


class GodModuleConfig(Settings):
    """When a module is too large for one subject."""

    min_lines: int = Field(default=1_000, ge=100)
    min_definitions: int = Field(default=40, ge=10)


class PlacementConfig(Settings):
    """When to say that code belongs elsewhere."""

    min_confidence: float = Field(default=0.9, ge=0.5, le=1)
    """Probability that it belongs elsewhere, below which nothing is said."""


class ArchitectureConfig(Settings):
    """What is expected of the architecture, and from where on it is remarked on."""

    layers: tuple[LayerConfig, ...] = ()
    """From the top down; a layer may depend on those below it. Empty: layers are inferred."""
    hubs: HubConfig = HubConfig()
    god_modules: GodModuleConfig = GodModuleConfig()
    placement: PlacementConfig = PlacementConfig()

    @model_validator(mode="after")
    def _layers_are_known(self) -> Self:
        names = [layer.name for layer in self.layers]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"layers are named twice: {', '.join(repeated)}")
        for layer in self.layers:
            if unknown := sorted(set(layer.may_use or ()) - set(names)):
                raise ValueError(
                    f"layer {layer.name!r} may use {', '.join(unknown)}, which is no layer; "
                    f"there are: {', '.join(names)}"
                )
        return self
