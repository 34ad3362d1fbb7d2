"""The Detector protocol: what a level's model suspects, beside what its analyzer can prove."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from nested_ray.analyzers.findings import Finding, Rule
from nested_ray.repository.base import Repository


class Detector(Protocol):
    """Any text gets findings or none; each one carries a calibrated confidence."""

    level: str
    """The kind of level whose model it asks."""
    rules: tuple[Rule, ...]

    def suspect(self, repository: Repository, paths: Collection[str]) -> Iterator[Finding]:
        """Suspicions in the files named, in the light of the whole repository."""
        ...
