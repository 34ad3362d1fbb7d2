"""A place in a file → the context each kind of level adds before the window."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from nested_ray.languages import LANGUAGES
from nested_ray.levels.architecture import ArchitectureLevel
from nested_ray.levels.base import Level, Place
from nested_ray.levels.reader import FileReader
from nested_ray.levels.semantics import SemanticsLevel
from nested_ray.levels.syntax import SyntaxLevel
from nested_ray.repository.base import SourceFile
from nested_ray.repository.definitions import DefinitionIndex
from nested_ray.repository.index import index_repositories, open_repository

__all__ = ["KINDS", "DefinitionIndex", "Level", "Place", "build_levels", "index_definitions"]

KINDS = ("syntax", "semantics", "architecture")
"""From the narrowest context to the widest; each kind sees the contexts of those before it."""

_LANGUAGES = {language.name: language for language in LANGUAGES}


class SourceText(Protocol):
    """What the index needs of a document."""

    @property
    def source(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def text(self) -> str: ...


def build_levels(kinds: Iterable[str], definitions: DefinitionIndex) -> dict[str, Level]:
    """One Level per kind asked for and per kind below it; they share what they read of a file."""
    reader = FileReader(_LANGUAGES.get)
    levels: tuple[Level, ...] = (
        SyntaxLevel(),
        SemanticsLevel(reader),
        ArchitectureLevel(reader, definitions),
    )
    highest = max(KINDS.index(kind) for kind in kinds)
    return {level.kind: level for level in levels[: highest + 1]}


def index_definitions(
    documents: Iterable[SourceText], cache_dir: Path | None = None
) -> DefinitionIndex:
    """The definitions in documents of any known language, and the links between files of one source.

    With a `cache_dir` the outlines are kept for whoever reads the same files next.
    """
    sources: dict[str, list[SourceFile]] = {}
    for document in documents:
        if document.language in _LANGUAGES:
            file = SourceFile(document.path, document.language, document.text)
            sources.setdefault(document.source, []).append(file)
    return index_repositories(
        open_repository(files, cache_dir=cache_dir) for files in sources.values()
    )
