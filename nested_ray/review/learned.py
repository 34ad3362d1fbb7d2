"""What a nest learned for reviews: its detectors, its placement, its ranking of repairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nested_ray.errors import ConfigError, InferenceError

if TYPE_CHECKING:
    from nested_ray.analyzers.architecture import PlacementModel
    from nested_ray.analyzers.syntax import Scorer
    from nested_ray.inference.bundle import LevelSpec
    from nested_ray.review.detectors import Detector


@dataclass(frozen=True)
class NestParts:
    """What was learned for reviews; parts that the nest did not learn are left out."""

    detectors: Sequence[Detector] = ()
    scorer: Scorer | None = None
    placement: PlacementModel | None = None
    missing: tuple[str, ...] = ()
    """The parts that were asked for and left out, in words."""


def load_parts(
    nest_dir: Path, levels: Sequence[str], on_step: Callable[[str], None] = lambda step: None
) -> NestParts:
    """The parts in a nest directory."""
    from nested_ray.inference.bundle import read_spec

    specs = [spec for spec in read_spec(nest_dir).levels if spec.kind in levels]
    missing: list[str] = []
    detectors: list[Detector] = []
    scorer: Scorer | None = None
    for spec in specs:
        if spec.kind == "syntax" and scorer is None:
            on_step(f"loading level {spec.name}")
            scorer = load_scorer(nest_dir, spec)
        found = _load_detector(nest_dir, spec, on_step)
        detectors += found
        if spec.kind == "semantics" and not found:
            missing.append(f"level {spec.name} has learned to find no bugs")
    placement = _load_placement(nest_dir) if "architecture" in levels else None
    if "architecture" in levels and placement is None:
        missing.append("the nest has not learned where code belongs")
    return NestParts(tuple(detectors), scorer, placement, tuple(missing))


def load_scorer(nest_dir: Path, spec: LevelSpec) -> Scorer:
    """Ranks texts by what a level with its memory finds likely."""
    from nested_ray.analyzers.syntax import in_context
    from nested_ray.inference.base import Prompt
    from nested_ray.inference.loading import load_engine
    from nested_ray.languages import guess_language

    engine = load_engine(nest_dir, spec.name)

    def score(prefix: str, continuations: Sequence[str]) -> list[float]:
        language = guess_language(prefix or continuations[0]).name
        scores = engine.token_logprobs(Prompt(prefix, language=language), continuations)
        return [each.mixed for each in scores]

    return in_context(score)


def _load_detector(
    nest_dir: Path, spec: LevelSpec, on_step: Callable[[str], None]
) -> list[Detector]:
    from nested_ray.bugs.judge import FOLDER
    from nested_ray.inference.bundle import level_folder

    if not (level_folder(nest_dir, spec.name) / FOLDER).is_dir():
        return []
    from nested_ray.bugs import BugDetector

    on_step(f"loading level {spec.name}")
    return [BugDetector.load(nest_dir, spec.name)]


def _load_placement(nest_dir: Path) -> PlacementModel | None:
    from nested_ray.analyzers.architecture import PlacementModel
    from nested_ray.inference.bundle import PLACEMENT_FOLDER

    folder = nest_dir / PLACEMENT_FOLDER
    if not folder.is_dir():
        return None
    try:
        return PlacementModel.load(folder)
    except ConfigError as exc:  # no setting of whoever asks for a review is wrong
        raise InferenceError(str(exc)) from exc
