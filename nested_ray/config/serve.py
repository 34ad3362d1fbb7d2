"""The argument of the Serve application builder; the `args:` of a file in serve_configs/."""

from __future__ import annotations

from pydantic import Field

from nested_ray.config.base import Settings
from nested_ray.config.routing import RoutingConfig


class AutoscalingSettings(Settings):
    """Replicas of one level, by ongoing requests."""

    min_replicas: int = Field(default=1, ge=0)
    max_replicas: int = Field(default=1, ge=1)
    target_ongoing_requests: float = Field(default=2.0, gt=0)
    upscale_delay_s: float = Field(default=5.0, ge=0)
    downscale_delay_s: float = Field(default=60.0, ge=0)


class LevelServeConfig(Settings):
    """One level's deployment."""

    autoscaling: AutoscalingSettings = AutoscalingSettings()
    num_cpus: float = Field(default=0.1, ge=0)
    """Scheduling share of one replica; torch uses `num_threads` whatever this says."""
    num_gpus: float = Field(default=0.0, ge=0)
    num_threads: int = Field(default=1, ge=1)
    max_ongoing_requests: int = Field(default=4, ge=1)
    max_queued_requests: int = Field(default=64, ge=0)


class ServeConfig(Settings):
    """Which nest is served, and how."""

    nest: str = "default"
    version: str = "champion"
    """Alias or version number; an `ab_split` in `routing` overrides it."""
    levels: dict[str, LevelServeConfig] = {}
    """By level name; levels not named here take the defaults."""
    routing: RoutingConfig = RoutingConfig()
    router_replicas: int = Field(default=1, ge=1)
