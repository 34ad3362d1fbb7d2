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


def scopes_of_change(
    change: Change, repository: Repository, base: Repository | None
) -> tuple[Scope, Scope]:
    """The scope in the new version and the one in the base; they hold the same files."""
    before = change.renamed
    now = {new: new for new in repository.files}
    own = change.lines.keys() & repository.files.keys()
    around = own | _dependents(repository, own)
    if base is None:
        return Scope(own, around, now.keys()), Scope(set(), set(), set())
    after = {old: new for new, old in before.items()}
    old_own = {before.get(path, path) for path in own} | change.removed
    broken = {after.get(path, path) for path in _dependents(base, old_own)}
    around |= broken & repository.files.keys()
    return Scope(own, around, now.keys()), Scope(
        old_own & base.files.keys(),
        ({before.get(path, path) for path in around} | old_own) & base.files.keys(),
        base.files.keys(),
    )


def _dependents(repository: Repository, paths: AbstractSet[str]) -> set[str]:
    return {link.source for link in repository.links if link.target in paths}
