"""Links: the dependencies between files that names and imports prove."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from nested_ray.repository.base import Link, LinkKind
from nested_ray.repository.facts import FileFacts

KINDS: dict[str, LinkKind] = {"c": "call", "u": "use", "i": "inherit"}


class Target(NamedTuple):
    """What a name stands for: a file, or one definition in it."""

    path: str
    definition: int | None


class Resolver(Protocol):
    """Finds what the names of one language's files mean; only answers when one target is possible."""

    def imports(self, path: str) -> Iterable[tuple[int, Target]]:
        """(offset, target) of what the file's import statements bind."""
        ...

    def belongs_to(self, path: str) -> Iterable[Target]:
        """What the file depends on by where it lies and what is declared of it."""
        ...

    def resolve(self, path: str, name: str) -> Target | None:
        """The target of a dotted name used in the file."""
        ...


def file_links(path: str, facts: FileFacts, resolver: Resolver) -> list[Link]:
    """Links out of one file, by offset."""
    found = [
        Link(path, None, target.path, target.definition, "import", offset)
        for offset, target in resolver.imports(path)
    ]
    found.extend(
        Link(path, None, target.path, target.definition, "use", 0)
        for target in resolver.belongs_to(path)
    )
    for name, uses in facts.uses.items():
        if target := resolver.resolve(path, name):
            found.extend(
                Link(
                    path,
                    None if definition < 0 else definition,
                    target.path,
                    target.definition,
                    KINDS[kind],
                    offset,
                )
                for offset, kind, definition in uses
            )
    found = [link for link in found if link.target != path]
    return sorted(found, key=lambda link: (link.offset, link.kind, link.target))
