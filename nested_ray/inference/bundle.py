"""A nest directory: what training writes, the registry stores and serving loads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nested_ray.errors import InferenceError
from nested_ray.files import write_json

FORMAT = 1

SPEC_FILE = "nest.json"
TOKENIZER_FILE = "tokenizer.json"
MEMORY_FOLDER = "memory"
MIXING_FILE = "mixing.json"
CHOICE_FILE = "choice.json"
DEFINITIONS_FILE = "repository/definitions.json"
PLACEMENT_FOLDER = "repository/placement"
REPORT_FILE = "report.json"


@dataclass(frozen=True)
class LevelSpec:
    """One level of a nest directory; its files lie in `levels/<name>/`."""

    name: str
    kind: str
    weight: float
    """Ensemble weight as configured; normalised by whoever mixes."""
    context_tokens: int
    """Budget of the context this level adds before the window."""
    confidence_threshold: float | None = None
    """Calibrated on the validation split; None before the evaluation."""
    reads_suffix: bool = True
    """Whether it is shown what stands behind the cursor; the evaluation finds out if that helps it."""


@dataclass(frozen=True)
class NestSpec:
    """`nest.json`: what the files of a nest directory need to know of each other."""

    tokenizer_hash: str
    window_tokens: int
    levels: tuple[LevelSpec, ...]
    """From the smallest to the largest; contexts nest in this order."""
    languages: tuple[str, ...]

    def level(self, name: str) -> LevelSpec:
        """The level of that name; raises InferenceError naming those there are."""
        for level in self.levels:
            if level.name == name:
                return level
        names = ", ".join(level.name for level in self.levels)
        raise InferenceError(f"the nest has no level {name!r}; it has {names}")

    def with_findings(
        self, thresholds: Mapping[str, float], reads_suffix: Mapping[str, bool]
    ) -> NestSpec:
        """The same nest with what an evaluation found out about its levels, by their names."""
        levels = tuple(
            replace(
                level,
                confidence_threshold=thresholds.get(level.name, level.confidence_threshold),
                reads_suffix=reads_suffix.get(level.name, level.reads_suffix),
            )
            for level in self.levels
        )
        return replace(self, levels=levels)

    def to_dict(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any], source: str = SPEC_FILE) -> NestSpec:
        """Raises InferenceError when the format is another one or a field is missing or unknown."""
        found = values.get("format")
        if found != FORMAT:
            raise InferenceError(
                f"{source} has format {found!r}, this version of nested-ray reads format {FORMAT}; "
                "train the nest again or use the version that wrote it"
            )
        try:
            fields = {key: value for key, value in values.items() if key != "format"}
            fields["levels"] = tuple(LevelSpec(**level) for level in fields["levels"])
            fields["languages"] = tuple(fields["languages"])
            return cls(**fields)
        except (KeyError, TypeError) as exc:
            raise InferenceError(f"{source} is not a complete nest description: {exc}") from exc


def level_folder(nest_dir: Path, level_name: str) -> Path:
    return nest_dir / "levels" / level_name


def write_spec(nest_dir: Path, spec: NestSpec) -> None:
    """Write `nest.json` aside and rename it, so that a reader sees the old one or the new one."""
    write_json(nest_dir / SPEC_FILE, spec.to_dict())


def read_spec(nest_dir: Path) -> NestSpec:
    """Read and check `nest.json`; raises InferenceError."""
    return NestSpec.from_dict(read_json(nest_dir / SPEC_FILE), source=str(nest_dir / SPEC_FILE))


def read_json(path: Path) -> dict[str, Any]:
    """One JSON object; raises InferenceError naming the file and what is wrong with it."""
    require_file(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise InferenceError(f"cannot read {path}: {exc}") from exc
    if not isinstance(values, dict):
        raise InferenceError(f"{path} must hold one JSON object, found {type(values).__name__}")
    return values


def require_file(path: Path) -> Path:
    """The path; raises InferenceError when nothing is there."""
    if not path.exists():
        raise InferenceError(
            f"the nest directory lacks {path}; fetch the version again or run the training again"
        )
    return path
