"""Scope: which files each level looks at when only a part of a code base is under review."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from nested_ray.repository.base import Repository
from nested_ray.review.change import Change


@dataclass(frozen=True)
class Scope:
    """Files of one version of a code base, from what is under review outwards."""

    own: AbstractSet[str]
    """What is reviewed, or was changed."""
    around: AbstractSet[str]
    """And what depends on it directly: there a changed signature breaks calls."""
    everything: AbstractSet[str]

    def of(self, level: str) -> AbstractSet[str]:
        """The files a level's analyzer is asked about."""
        return {"syntax": self.own, "semantics": self.around}.get(level, self.everything)


def scope_of_change(change: Change, repository: Repository, base: Repository | None) -> Scope:
    """What each level looks at in the new version.

    The base is needed where files are gone or renamed: who depended on them does so no longer.
    """
    own = change.lines.keys() & repository.files.keys()
    around = own | _dependents(repository, own)
    if base is not None:
        new_names = {old: new for new, old in change.renamed.items()}
        gone = new_names.keys() | change.removed
        left = {new_names.get(path, path) for path in _dependents(base, gone)}
        around |= left & repository.files.keys()
    return Scope(own, around, repository.files.keys())


def scope_of_base(scope: Scope, change: Change, base: Repository, paths: AbstractSet[str]) -> Scope:
    """The same files as they were called before, of those at `paths`: elsewhere nothing is compared."""

    def before(names: AbstractSet[str]) -> set[str]:
        wanted = names & paths
        return {change.renamed.get(path, path) for path in wanted} & base.files.keys()

    return Scope(before(scope.own), before(scope.around), before(scope.everything))


def _dependents(repository: Repository, paths: AbstractSet[str]) -> set[str]:
    return {link.source for link in repository.links if link.target in paths}
