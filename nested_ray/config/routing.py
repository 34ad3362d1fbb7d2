"""How the router chooses a level and judges its answer."""

from __future__ import annotations

from pydantic import Field, model_validator

from nested_ray.config.base import Settings


class ArmConfig(Settings):
    """One arm of an A/B split."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")
    version: str = Field(coerce_numbers_to_str=True)
    """An alias (`champion`, `candidate`) or a version number of the served nest."""
    weight: float = Field(gt=0)
    """Share of the units; weights are normalised."""


class RoutingConfig(Settings):
    """Adaptive selection, cascade, ensemble, A/B and the response cache."""

    adaptive_selection: bool = True
    """False: `auto` means the highest level."""
    confidence_threshold: float = Field(default=0.5, ge=0, le=1)
    """An answer below it goes on to the next level."""
    level_thresholds: dict[str, float] = {}
    """Thresholds of single levels, by level name."""
    ensemble_weights: dict[str, float] = {}
    """By level name; empty means the weights the nest was registered with (default 0.3 / 0.5 / 0.2)."""
    task_levels: dict[str, tuple[str, ...]] = {}
    """Levels a task may use, by name (`line: [syntax, semantics]`); a task not named here may use all."""
    ab_split: tuple[ArmConfig, ...] = ()
    """Two or more arms share the traffic, sticky by the request's `user`; empty means one version for all."""
    ab_salt: str = "ab"
    """Another salt is another assignment of users to arms."""
    cache_ttl_s: int = Field(default=3600, ge=0)
    """How long an answer may come from Redis; 0 turns the cache off."""
    request_timeout_s: float = Field(default=30.0, gt=0)
    """From arrival to the last byte; levels that may still be asked share what is left."""
    level_rest_s: float = Field(default=5.0, ge=0)
    """A level that failed is passed by for this long, unless the caller named it."""

    @model_validator(mode="after")
    def _arms_differ(self) -> RoutingConfig:
        names = [arm.name for arm in self.ab_split]
        if len(names) == 1:
            raise ValueError("ab_split needs two or more arms; leave it out to serve one version")
        if len(set(names)) < len(names):
            raise ValueError(f"arm names must differ, found {', '.join(names)}")
        return self
