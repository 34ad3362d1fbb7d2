"""Repository: the files of a code base together with what they define and how they depend on each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from nested_ray.languages.base import Outline

LinkKind = Literal["import", "call", "use", "inherit"]


@dataclass(frozen=True)
class SourceFile:
    """One file as read: decoded, without BOM, with `\\n` line ends."""

    path: str
    """Relative to the root of the repository, `/`-separated."""
    language: str
    text: str


class Link(NamedTuple):
    """A place in one file that depends on another file, proven by imports and names."""

    source: str
    """Path of the file that depends."""
    source_definition: int | None
    """Index into the outline's definitions of the innermost one around the place; None at module level."""
    target: str
    """Path of the file depended on; never the source itself."""
    target_definition: int | None
    """Index into the target's definitions; None for the module as a whole."""
    kind: LinkKind
    offset: int
    """Where in the source."""


class Repository(Protocol):
    """What analyzers and contexts ask of a code base."""

    @property
    def files(self) -> Mapping[str, SourceFile]:
        """By path, in sorted order."""
        ...

    def outline(self, path: str) -> Outline:
        """Outline of one file; computed once, kept by content hash."""
        ...

    @property
    def links(self) -> Sequence[Link]:
        """Every resolved dependency between two files, by source and offset; computed once."""
        ...
