"""A repository → what the placement model learns from and is asked about: units and functions with words and links."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from nested_ray.analyzers.architecture.metadata import definitions_of
from nested_ray.analyzers.architecture.placement.words import (
    code_only,
    count_names,
    count_words,
    outside,
    top_definitions,
)
from nested_ray.analyzers.architecture.units import Layout
from nested_ray.languages import get_language
from nested_ray.languages.base import Definition
from nested_ray.repository.base import Repository, SourceFile


@dataclass
class Sample:
    """Words and links of a unit, or of one function in it."""

    unit: str
    words: Counter[str] = field(default_factory=Counter)
    uses: Counter[str] = field(default_factory=Counter)
    """Units it depends on, with the number of links; a function may depend on its own unit."""
    used_by: Counter[str] = field(default_factory=Counter)


@dataclass
class FunctionSample(Sample):
    """One top-level function, procedure or class."""

    path: str = ""
    definition: int = 0
    """Index into the outline of its file."""
    name: str = ""
    """Folded."""


@dataclass(frozen=True)
class Samples:
    """In order of name, and of path and place."""

    units: Mapping[str, Sample]
    functions: Sequence[FunctionSample]


def read_samples(repository: Repository, layout: Layout) -> Samples:
    """One sample per unit and per top-level definition, without the names of the unit itself."""
    units = {unit: Sample(unit) for unit in sorted(layout.files_of)}
    functions: dict[tuple[str, int], FunctionSample] = {}
    spoken = spoken_names(layout)
    for path in sorted(layout.unit_of):
        sample = units[layout.unit_of[path]]
        file = repository.files[path]
        names = spoken if file.language == "bsl" else {}
        inside, rest = read_file_samples(file, definitions_of(repository, path), sample.unit, names)
        for function in inside:
            sample.words.update(function.words)
            functions[path, function.definition] = function
        sample.words.update(rest.words)
        for each in (*inside, rest):
            for unit, count in each.uses.items():
                if unit != sample.unit:
                    sample.uses[unit] += count
                    units[unit].used_by[sample.unit] += count
    _add_links(units, functions, repository, layout)
    return Samples(units, list(functions.values()))


def spoken_names(layout: Layout) -> dict[str, str]:
    """Folded name → the one 1C object that has it.

    Code reaches objects by name in many ways that no link can prove: through the platform's managers, in
    queries, in descriptions. A name that only one object has speaks of it.
    """
    owners: dict[str, list[str]] = {}
    for unit, files in layout.files_of.items():
        if unit != files[0]:
            owners.setdefault(unit.rpartition(".")[2].casefold(), []).append(unit)
    return {name: units[0] for name, units in owners.items() if len(units) == 1}


def read_file_samples(
    file: SourceFile, definitions: Sequence[Definition], unit: str, spoken: Mapping[str, str]
) -> tuple[list[FunctionSample], FunctionSample]:
    """Samples of the definitions of one file, and of what stands outside of them."""
    code = code_only(file.text, file.language)
    hidden = own_names(unit)
    indices = top_definitions(definitions)
    spans = [definitions[index].span for index in indices]
    names = [count_names(code[span.start : span.end]) for span in spans]
    names.append(count_names(outside(spans, code)))
    found = [
        FunctionSample(unit, count_words(used, hidden), _mentions(used, spoken), path=file.path)
        for used in names
    ]
    rest = found.pop()
    fold = get_language(file.language).fold
    for index, function in zip(indices, found, strict=True):
        function.definition, function.name = index, fold(definitions[index].name)
    _add_siblings(found, names[:-1], fold)
    return found, rest


def _mentions(names: Mapping[str, int], spoken: Mapping[str, str]) -> Counter[str]:
    """Objects that are named, with how often."""
    found: Counter[str] = Counter()
    if spoken:
        for name, count in names.items():
            if unit := spoken.get(name.casefold()):
                found[unit] += count
    return found


def own_names(unit: str) -> frozenset[str]:
    """Names under which a unit's own code speaks of it; a place learned from those would be copied."""
    stem = unit.rpartition("/")[2].removesuffix(".py").removesuffix(".pyi").removesuffix(".os")
    return frozenset({stem.rpartition(".")[2].casefold()})


def _add_siblings(
    found: Sequence[FunctionSample],
    names: Sequence[Mapping[str, int]],
    fold: Callable[[str], str],
) -> None:
    """Uses between definitions of one file count as links to their own unit."""
    by_name = {function.name: function for function in found}
    for function, used in zip(found, names, strict=True):
        for name, count in used.items():
            sibling = by_name.get(fold(name))
            if sibling is not None and sibling is not function:
                function.uses[function.unit] += count
                sibling.used_by[function.unit] += count


def _add_links(
    units: Mapping[str, Sample],
    functions: Mapping[tuple[str, int], FunctionSample],
    repository: Repository,
    layout: Layout,
) -> None:
    """Links between files: to and from units, and to and from the functions they stand in."""
    holders = _Holders(repository, functions)
    for link in repository.links:
        source, target = layout.unit_of.get(link.source), layout.unit_of.get(link.target)
        if source is None or target is None:
            continue
        if source != target:
            units[source].uses[target] += 1
            units[target].used_by[source] += 1
        if using := holders.of(link.source, link.source_definition):
            using.uses[target] += 1
        if used := holders.of(link.target, link.target_definition):
            used.used_by[source] += 1


class _Holders:
    """Finds the top-level definition around another one."""

    def __init__(
        self, repository: Repository, functions: Mapping[tuple[str, int], FunctionSample]
    ) -> None:
        self._repository = repository
        self._functions = functions
        self._by_path: dict[str, list[int]] = {}

    def of(self, path: str, definition: int | None) -> FunctionSample | None:
        if definition is None:
            return None
        if path not in self._by_path:
            self._by_path[path] = self._around(path)
        holders = self._by_path[path]
        holder = holders[definition] if definition < len(holders) else -1
        return self._functions.get((path, holder))

    def _around(self, path: str) -> list[int]:
        definitions = definitions_of(self._repository, path)
        tops = top_definitions(definitions)
        starts = [definitions[index].span.start for index in tops]
        return [
            tops[max(bisect_right(starts, definition.span.start) - 1, 0)] if tops else -1
            for definition in definitions
        ]
