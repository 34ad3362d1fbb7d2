"""Levels → who looks at the code: each level's analyzer, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nested_ray.analyzers.base import Analyzer
from nested_ray.config.review import ReviewConfig
from nested_ray.review.detectors import Detector
from nested_ray.review.reviewer import Reviewers


def build_reviewers(
    config: ReviewConfig,
    *,
    detectors: Sequence[Detector] = (),
    scorer: Any = None,
    placement: Any = None,
    is_change: bool = False,
) -> Reviewers:
    """The analyzers of the levels in the config, with what a nest learned where it is given.

    `scorer` ranks syntax repairs, `placement` says where definitions belong; detectors of other
    levels are left out. For a change no placement is learned from the repository itself: that takes
    seconds, and a model of the new version and one of the base would not agree on what is new.
    """
    levels = dict.fromkeys(config.levels)
    learned = _Learned(scorer, placement, learns_placement=not is_change)
    return Reviewers(
        [_analyzer(level, config, learned, with_fixes=True) for level in levels],
        [detector for detector in detectors if detector.level in levels],
        [_analyzer(level, config, learned, with_fixes=False) for level in levels],
    )


@dataclass(frozen=True)
class _Learned:
    scorer: Any
    placement: Any
    learns_placement: bool


def _analyzer(level: str, config: ReviewConfig, learned: _Learned, *, with_fixes: bool) -> Analyzer:
    if level == "syntax":
        from nested_ray.analyzers.syntax import SyntaxAnalyzer

        return SyntaxAnalyzer(scorer=learned.scorer, with_fixes=with_fixes)
    if level == "semantics":
        from nested_ray.analyzers.semantics import SemanticsAnalyzer

        return SemanticsAnalyzer()
    from nested_ray.analyzers.architecture import ArchitectureAnalyzer

    return ArchitectureAnalyzer(
        config.architecture,
        placement=learned.placement,
        learns_placement=learned.learns_placement,
    )
