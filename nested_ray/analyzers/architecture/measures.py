"""Robust statistics over modules: what stands out, and how stable a package is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nested_ray.analyzers.architecture.graph import Edge, ModuleGraph
from nested_ray.analyzers.architecture.layers import is_part_of

MIN_SCORE = 3.5
"""Modified z-score from which on a value is an outlier (Iglewicz and Hoaglin, 1993)."""
_TO_SIGMA = 1.4826
_SMALLEST_SIGMA = 0.25
"""On the logarithm: where most modules are alike, a quarter more is still nothing."""


def outliers(values: Mapping[str, int], *, floor: int) -> dict[str, float]:
    """Names whose value is far above the others' and at least `floor`, with their modified z-score.

    Counts of links and lines are skewed, so they are compared by their logarithm, by median and
    median absolute deviation, which a few giants do not move.
    """
    if not values:
        return {}
    logs = np.log1p(np.fromiter(values.values(), dtype=np.float64))
    median = float(np.median(logs))
    sigma = max(_TO_SIGMA * float(np.median(np.abs(logs - median))), _SMALLEST_SIGMA)
    scores = (logs - median) / sigma
    return {
        name: float(score)
        for (name, value), score in zip(values.items(), scores, strict=True)
        if value >= floor and score >= MIN_SCORE
    }


@dataclass(frozen=True)
class Stability:
    """Ties of a package, after R. Martin, "OO Design Quality Metrics", 1994."""

    afferent: int
    """Packages that depend on it (Ca)."""
    efferent: int
    """Packages it depends on (Ce)."""

    @property
    def instability(self) -> float:
        """Ce / (Ca + Ce): 0 is depended on only, 1 depends only."""
        return self.efferent / (self.afferent + self.efferent)


def stability_of(packages: ModuleGraph) -> dict[str, Stability]:
    """Of every package that has ties."""
    return {
        node: Stability(len(packages.sources[node]), len(packages.targets[node]))
        for node in packages.nodes
        if packages.sources[node] or packages.targets[node]
    }


MIN_AFFERENT = 4
"""Fewer dependents and a package is not one that others rest on."""
MIN_STEP = 0.4
"""By how much less stable the package depended on is."""
MAX_SHARE = 0.3
"""Share of a package's dependencies that run to less stable ones, above which it is by design."""


def unstable_dependencies(packages: ModuleGraph) -> list[tuple[Edge, Stability, Stability]]:
    """Dependencies of packages that others rest on, on packages far less stable."""
    ties = stability_of(packages)
    found: list[tuple[Edge, Stability, Stability]] = []
    for node, own in ties.items():
        if own.afferent < MIN_AFFERENT:
            continue
        upward = [
            target
            for target in packages.targets[node]
            if ties[target].instability - own.instability >= MIN_STEP
            and not is_part_of(target, node)
        ]
        if upward and len(upward) <= max(1, MAX_SHARE * own.efferent):
            found.extend((packages.edges[node, target], own, ties[target]) for target in upward)
    return found
