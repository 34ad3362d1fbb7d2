"""Links: the dependencies between files that names and imports prove."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter, itemgetter
from typing import NamedTuple, Protocol

from nested_ray.repository.base import Link, LinkKind
from nested_ray.repository.enclosing import Enclosing
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
    found = list(_import_links(path, facts, resolver))
    found.extend(
        Link(path, None, target.path, target.definition, "use", 0)
        for target in resolver.belongs_to(path)
        if target.path != path
    )
    for name, uses in facts.uses.items():
        target = resolver.resolve(path, name)
        if target is not None and target.path != path:
            found.extend(
                Link(path, _index(definition), *target, KINDS[kind], offset)
                for offset, kind, definition in zip(*uses, strict=True)
            )
    return sorted(found, key=attrgetter("offset", "kind", "target"))


def _import_links(path: str, facts: FileFacts, resolver: Resolver) -> Iterator[Link]:
    enclosing: Enclosing | None = None
    for offset, target in sorted(resolver.imports(path), key=itemgetter(0)):
        if target.path != path:
            enclosing = enclosing or Enclosing(facts.definitions)
            yield Link(path, _index(enclosing.of(offset)), *target, "import", offset)


def _index(definition: int) -> int | None:
    return None if definition < 0 else definition
