"""Levels → who looks at the code: each level's analyzer, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
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
) -> Reviewers:
    """The analyzers of the levels in the config, with what a nest learned where it is given.

    `scorer` ranks syntax repairs, `placement` says where definitions belong; detectors of other
    levels are left out.
    """
    levels = dict.fromkeys(config.levels)
    return Reviewers(
        [_analyzer(level, config, scorer, placement, with_fixes=True) for level in levels],
        [detector for detector in detectors if detector.level in levels],
        [_analyzer(level, config, None, placement, with_fixes=False) for level in levels],
    )


def _analyzer(
    level: str, config: ReviewConfig, scorer: Any, placement: Any, *, with_fixes: bool
) -> Analyzer:
    if level == "syntax":
        from nested_ray.analyzers.syntax import SyntaxAnalyzer

        return SyntaxAnalyzer(scorer=scorer, with_fixes=with_fixes)
    if level == "semantics":
        from nested_ray.analyzers.semantics import SemanticsAnalyzer

        return SemanticsAnalyzer()
    from nested_ray.analyzers.architecture import ArchitectureAnalyzer

    return ArchitectureAnalyzer(config.architecture, placement=placement)
