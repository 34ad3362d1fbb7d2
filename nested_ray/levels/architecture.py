"""The architecture level adds the repository: definitions from other files of the names in use."""

from __future__ import annotations

from itertools import islice

from nested_ray.levels.base import Place
from nested_ray.levels.names import NameResolver
from nested_ray.levels.reader import FileReader, FileView
from nested_ray.levels.semantics import path_line
from nested_ray.repository.definitions import DefinitionIndex, Entry

MAX_ENTRIES = 12
MAX_REFERENCES = 200
"""Names looked up before a place; older ones have long scrolled out of the window."""


class ArchitectureLevel:
    kind = "architecture"
    marker = "<|repository|>"

    def __init__(self, reader: FileReader, definitions: DefinitionIndex) -> None:
        self._reader = reader
        self._definitions = definitions

    def context(self, place: Place) -> str:
        """Definitions that names used or imported before the place lead to, the most relevant last.

        Ranked by a PageRank personalised to those names; the nearer a name, the more it weighs.
        """
        view = self._reader.read(place)
        if view is None:
            return ""
        seeds = weighed(used_definitions(view, place, self._definitions))
        entries = self._definitions.related(seeds, asking=place.path, at_most=MAX_ENTRIES)
        return "\n".join(self._render(entry, place) for entry in reversed(entries))

    def _render(self, entry: Entry, place: Place) -> str:
        language = self._reader.language(place)
        comment = language.line_comment if language else "#"
        lines = [path_line(entry.path, language), entry.signature]
        if entry.doc:
            lines.append(f"    {comment} {entry.doc}")
        lines.extend(f"    {line}" for line in entry.body.split("\n") if line)
        return "\n".join(lines)


def weighed(entries: list[Entry]) -> list[tuple[Entry, float]]:
    """Weights that fall with the rank."""
    return [(entry, 1 / (1 + rank)) for rank, entry in enumerate(entries)]


def used_definitions(view: FileView, place: Place, index: DefinitionIndex) -> list[Entry]:
    """Definitions in other files of names used before the place, the most recent first.

    Names that are imported and not used yet come behind the used ones.
    """
    resolver = NameResolver(index, view, place)
    found: dict[int, Entry] = {}
    looked_up: set[tuple[str, str | None, bool]] = set()
    for reference in islice(view.references_backwards(), MAX_REFERENCES):
        use = (reference.name, reference.qualifier, reference.is_call)
        if use in looked_up:
            continue
        looked_up.add(use)
        entry = resolver.resolve(reference)
        if entry is not None:
            found.setdefault(id(entry), entry)
        if len(found) == MAX_ENTRIES:
            break
    for name in reversed(resolver.bindings):
        entry = resolver.imported(name)
        if entry is not None and len(found) < MAX_ENTRIES:
            found.setdefault(id(entry), entry)
    return list(found.values())
