"""Names → definitions: what a used name means, by the file's imports and the index."""

from __future__ import annotations

from functools import lru_cache

from nested_ray.languages.base import Reference
from nested_ray.levels.base import Place
from nested_ray.levels.pieces import ImportText
from nested_ray.levels.reader import FileView
from nested_ray.repository.bindings import STAR, Binding, absolute_module, dotted
from nested_ray.repository.bindings import bindings_of as statement_bindings
from nested_ray.repository.definitions import DefinitionIndex, Entry

MIN_UNIQUE_CHARS = 4
"""Shorter names mean too many things to be looked up without knowing their module."""


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


@lru_cache(maxsize=4096)
def bindings_of(found: ImportText, path: str) -> dict[str, Binding]:
    """Names one import statement binds; relative modules are made absolute by the file's path."""
    return {
        name: Binding(absolute_module(binding.module, path), binding.name)
        for name, binding in statement_bindings(found.statement, found.text).items()
        if name != STAR
    }
