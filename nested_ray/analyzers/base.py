"""The Analyzer protocol: what one level can prove about a repository without a model."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from nested_ray.analyzers.findings import Finding, Rule
from nested_ray.repository.base import Repository


class Analyzer(Protocol):
    """Any text gets findings or none; nothing is raised, time and memory are bounded by the size."""

    level: str
    """The kind of level it belongs to: `syntax`, `semantics`, `architecture`."""
    rules: tuple[Rule, ...]

    def analyze(self, repository: Repository, paths: Collection[str]) -> Iterator[Finding]:
        """Findings in the files named, in the light of the whole repository; in order of path and place."""
        ...
