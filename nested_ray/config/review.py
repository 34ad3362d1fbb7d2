"""What a review looks for, how much of it is said, and what makes it fail: `nested-ray.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from nested_ray.config.architecture import ArchitectureConfig
from nested_ray.config.base import Settings, set_dotted
from nested_ray.config.levels import LevelKind

FILE_NAME = "nested-ray.yaml"
"""Looked for in the folder that is reviewed and in those above it."""

SeverityName = Literal["error", "warning", "note"]
FailOn = Literal["error", "warning", "note", "never"]
Share = Annotated[float, Field(ge=0, le=1)]
DEFAULT_LEVEL_WEIGHTS = {"syntax": 1.0, "semantics": 0.8, "architecture": 0.5}


class ReviewConfig(Settings):
    """`nested-ray.yaml` at the root of a repository: how its code is reviewed."""

    levels: tuple[LevelKind, ...] = Field(
        default=("syntax", "semantics", "architecture"), min_length=1
    )
    """Whose findings are asked for."""
    level_weights: dict[LevelKind, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    """What a level's findings weigh when the budget is spent; defaults: syntax 1.0, semantics 0.8, architecture 0.5."""
    enable: tuple[str, ...] = ("*",)
    """Rules that may be posted, by id or pattern: `syntax/*`, `semantics/unused-*`."""
    disable: tuple[str, ...] = ()
    """Rules that are not, among those enabled."""
    severity: dict[str, SeverityName] = {}
    """Another severity for rules, by id or pattern; of several patterns that fit, the last one counts."""
    min_confidence: Share = 0.5
    """Findings that are less certain are not posted; a proof has confidence 1."""
    min_severity: SeverityName = "note"
    """Findings that are less severe are not posted."""
    max_findings: int = Field(default=50, ge=1)
    """The noise budget: how many findings one review posts, the weightiest first; the rest is counted."""
    max_findings_per_file: int = Field(default=10, ge=1)
    """How many of them may lie in one file."""
    fail_on: FailOn = "error"
    """The command exits with 1 when a finding is at least this severe, posted or held back."""
    exclude: tuple[str, ...] = ()
    """Gitignore-style patterns of files in which nothing is posted; other files still see what they define."""
    baseline: str | None = None
    """File of findings that are known and not posted again, relative to this file."""
    architecture: ArchitectureConfig = ArchitectureConfig()

    def weight_of(self, level: str) -> float:
        """What one level's findings weigh; a level without a weight of its own counts as 0.5."""
        weights: dict[str, float] = {**DEFAULT_LEVEL_WEIGHTS, **self.level_weights}
        return weights.get(level, 0.5)


def find_config(start: Path) -> Path | None:
    """The nearest `nested-ray.yaml` in a folder or above it."""
    for folder in (start, *start.parents):
        candidate = folder / FILE_NAME
        if candidate.is_file():
            return candidate
    return None


def load_config(
    start: Path, named: Path | None = None, overrides: tuple[str, ...] = ()
) -> tuple[ReviewConfig, Path]:
    """The settings that hold in a folder, and the folder that paths in them are relative to.

    Raises ConfigError for a file that is named but missing, or wrong.
    """
    path = named if named is not None else find_config(start)
    if path is not None:
        return ReviewConfig.from_yaml(path, overrides), path.absolute().parent
    values: dict[str, Any] = {}
    for override in overrides:
        set_dotted(values, override)
    return ReviewConfig.from_values(values, source="--set"), start
