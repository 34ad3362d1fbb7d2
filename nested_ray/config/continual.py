"""Going on from a registered nest version: which one, how fast each level moves, what is replayed."""

from __future__ import annotations

from pydantic import Field

from nested_ray.config.base import Settings
from nested_ray.config.corpus import Source


class ReplayConfig(Settings):
    """Windows of the old nest's training code among the new ones, so that it is not forgotten."""

    share: float = Field(default=0.25, ge=0, lt=1)
    """Of each level's training windows; 0 learns the new corpus alone."""
    max_windows: int = Field(default=10_000, gt=0)
    """Old windows to draw from; a deterministic sample is taken when the old training split has more."""
    sources: tuple[Source, ...] = ()
    """Where the old nest's code is read when the corpus of its run is gone; filters and split are the old ones."""


class ContinualConfig(Settings):
    """How a registered nest version goes on learning; without effect unless `parent` is set."""

    parent: str | None = Field(default=None, min_length=1)
    """What `--from` is given: `NEST`, `NEST@ALIAS`, `NEST@VERSION`, or `champion` or `candidate` of the config's own nest."""
    lr_factor: float = Field(default=0.25, gt=0)
    """Multiplies `lr.peak` of levels whose rate is meant for random weights; other levels keep the rate they were given."""
    update_every: dict[str, int] = {}
    """By level name, batches per update. Where a level is not named it takes twice the batches of the level
    below it, the first one those of its own budget: low levels move fast, high ones slowly."""
    replay: ReplayConfig = ReplayConfig()
