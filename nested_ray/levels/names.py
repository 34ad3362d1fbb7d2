"""Names → definitions: what a used name means, by the file's imports and the index."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nested_ray.languages.base import Reference
from nested_ray.levels.base import Place
from nested_ray.levels.pieces import ImportText
from nested_ray.levels.reader import FileView
from nested_ray.repository.definitions import DefinitionIndex, Entry

MIN_UNIQUE_CHARS = 4
"""Shorter names mean too many things to be looked up without knowing their module."""


@dataclass(frozen=True)
class Binding:
    """What an import makes of a name: a module, or one name of a module."""

    module: str
    name: str | None


class NameResolver:
    """Looks up the names used before one place; the latest import of a name counts."""

    def __init__(self, index: DefinitionIndex, view: FileView, place: Place) -> None:
        self._index = index
        self._view = view
        self._language = place.language
        self._path = place.path
        self.bindings: dict[str, Binding] = {}
        for found in view.imports():
            self.bindings.update(bindings_of(found, place.path))

    def resolve(self, reference: Reference) -> Entry | None:
        """The definition in another file that the name stands for, when that is certain enough."""
        if reference.qualifier:
            found = self._qualified(reference.qualifier, reference.name)
        else:
            found = self.imported(reference.name)
        if found is None and reference.is_call and self._may_be_unique(reference):
            found = self._unique(reference.name)
        return found

    def imported(self, name: str) -> Entry | None:
        """The definition behind a name that an import statement binds."""
        binding = self.bindings.get(name)
        if binding is None or binding.name is None:
            return None
        return self._member(binding.module, binding.name)

    def _qualified(self, qualifier: str, name: str) -> Entry | None:
        head, _, rest = qualifier.partition(".")
        binding = self.bindings.get(head)
        if binding is None:
            # BSL calls common modules by name, without an import.
            is_bsl = self._language == "bsl"
            return self._member(qualifier.rpartition(".")[2], name) if is_bsl else None
        if binding.name is None:
            return self._member(dotted(binding.module, rest), name)
        within = dotted(binding.module, binding.name, rest)
        return self._member(within, name) or self._member(binding.module, name, binding.name)

    def _member(self, module: str, name: str, parent: str = "") -> Entry | None:
        return self._index.in_module(
            module, name, language=self._language, asking=self._path, parent=parent
        )

    def _unique(self, name: str) -> Entry | None:
        found = self._index.unique(name, language=self._language, asking=self._path)
        return None if found is None or self._view.defines(name) else found

    def _may_be_unique(self, reference: Reference) -> bool:
        if len(reference.name) < MIN_UNIQUE_CHARS:
            return False
        head = (reference.qualifier or reference.name).partition(".")[0]
        if head in self.bindings:
            return False  # imported from a module the corpus does not hold
        language = self._view.language
        return bool(reference.qualifier) or language.fold(head) not in language.builtins


def bindings_of(found: ImportText, path: str) -> dict[str, Binding]:
    """Names one import statement binds; relative modules are made absolute by the file's path."""
    statement = found.statement
    module = absolute_module(statement.module, path)
    if not found.text.startswith("from"):
        # `import a.b` binds `a`, `import a.b as c` binds c to the whole.
        whole = {name: module.partition(".")[0] == name for name in statement.names}
        return {name: Binding(name if is_head else module, None) for name, is_head in whole.items()}
    return {name: Binding(module, original(name, found.text)) for name in statement.names}


def original(name: str, text: str) -> str:
    """What a name bound by `as` is called in its module."""
    match = re.search(rf"(\w+) as {re.escape(name)}\b", text)
    return match[1] if match else name


def absolute_module(module: str, path: str) -> str:
    """`.tasks` in `asyncio/events.py` → `asyncio.tasks`."""
    dots = len(module) - len(module.lstrip("."))
    if not dots:
        return module
    folders = path.split("/")[:-dots]
    return dotted(*folders, module[dots:])


def dotted(*parts: str) -> str:
    return ".".join(part for part in parts if part)
