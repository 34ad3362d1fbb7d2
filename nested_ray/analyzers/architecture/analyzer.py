"""ArchitectureAnalyzer: every architecture rule over one repository."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from nested_ray.analyzers.architecture.god_modules import god_findings
from nested_ray.analyzers.architecture.hubs import hub_findings, stability_findings
from nested_ray.analyzers.architecture.misplaced import judge, misplaced_findings
from nested_ray.analyzers.architecture.orphans import orphan_findings
from nested_ray.analyzers.architecture.placement import PlacementModel
from nested_ray.analyzers.architecture.remarks import (
    cycle_findings,
    declared_findings,
    inferred_findings,
)
from nested_ray.analyzers.architecture.rules import MISPLACED, RULES
from nested_ray.analyzers.architecture.structure import Structure, read_structure
from nested_ray.analyzers.findings import Finding, Rule
from nested_ray.config.architecture import ArchitectureConfig
from nested_ray.repository.base import Repository

Step = Callable[[str], None]
"""Called with what is looked for next."""


class ArchitectureAnalyzer:
    """What the graph of a repository proves, and what the words and links of its code suggest."""

    level = "architecture"

    def __init__(
        self,
        config: ArchitectureConfig | None = None,
        *,
        placement: PlacementModel | None = None,
        learns_placement: bool = True,
        on_step: Step | None = None,
    ) -> None:
        """Without a `placement` model from a nest, one is learned on the repository itself.

        With `learns_placement` off that is left out, and what it finds too: it takes most of the time.
        """
        self._config = config or ArchitectureConfig()
        self._placement = placement
        self._judges_places = learns_placement or placement is not None
        self.rules: tuple[Rule, ...] = (
            RULES if self._judges_places else tuple(rule for rule in RULES if rule is not MISPLACED)
        )
        self._on_step = on_step or (lambda step: None)

    def analyze(self, repository: Repository, paths: Collection[str]) -> Iterator[Finding]:
        """Findings in the files named, in the light of the whole repository; by path and place."""
        if not paths:
            return
        wanted = frozenset(paths)
        found = (f for f in self.findings(read_structure(repository)) if f.path in wanted)
        yield from sorted(found, key=lambda f: (f.path, f.span.start, f.rule, f.message))

    def findings(self, structure: Structure) -> Iterator[Finding]:
        """Findings in all files, rule by rule."""
        config = self._config
        self._on_step("cycles")
        yield from cycle_findings(structure)
        self._on_step("layers")
        if config.layers:
            yield from declared_findings(structure, config.layers)
        else:
            yield from inferred_findings(structure)
        self._on_step("hubs")
        yield from hub_findings(structure, config.hubs)
        yield from stability_findings(structure)
        self._on_step("sizes")
        yield from god_findings(structure, config.god_modules)
        yield from orphan_findings(structure)
        if not self._judges_places:
            return
        self._on_step("places")
        judged = judge(structure, self._placement)
        if judged is not None:
            yield from misplaced_findings(structure, config.placement, judged)
