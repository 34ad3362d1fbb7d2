"""God modules: far larger than the others, and in parts that do not use each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import rustworkx as rx

from nested_ray.analyzers.architecture.measures import outliers
from nested_ray.analyzers.architecture.placement.words import code_only, top_definitions
from nested_ray.analyzers.architecture.rules import GOD_MODULE
from nested_ray.analyzers.architecture.structure import Structure
from nested_ray.analyzers.findings import Finding, Severity
from nested_ray.config.architecture import GodModuleConfig
from nested_ray.languages import get_language
from nested_ray.languages.base import Definition

MIN_PART = 5
"""Definitions a part needs to be a subject of its own and not a stray helper."""
_SHOWN_PARTS, _SHOWN_NAMES = 4, 3
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class GodModule:
    """A module that stands out by size."""

    path: str
    num_lines: int
    num_definitions: int
    parts: tuple[tuple[str, ...], ...]
    """Definitions that use each other, by name, the largest part first; small ones are left out."""


def find_god_modules(structure: Structure, config: GodModuleConfig) -> list[GodModule]:
    """Files that stand out by lines and by definitions, the largest first."""
    files = structure.repository.files
    lines = {path: file.text.count("\n") + 1 for path, file in files.items()}
    sizes = {path: len(structure.definitions(path)) for path in files}
    large = outliers(lines, floor=config.min_lines)
    crowded = outliers(sizes, floor=config.min_definitions)
    found = [
        GodModule(path, lines[path], sizes[path], parts_of(structure, path))
        for path in sorted(large.keys() & crowded.keys())
    ]
    return sorted(found, key=lambda module: (-module.num_lines, module.path))


def parts_of(structure: Structure, path: str) -> tuple[tuple[str, ...], ...]:
    """Components of the graph of a file's own definitions, joined where one names the other."""
    file = structure.repository.files[path]
    definitions = structure.definitions(path)
    tops = [definitions[index] for index in top_definitions(definitions)]
    code = code_only(file.text, file.language)
    graph = _use_graph(tops, code, file.language)
    components = sorted(
        (sorted(component) for component in rx.connected_components(graph)),
        key=lambda component: (-len(component), component),
    )
    return tuple(
        tuple(tops[index].name for index in component)
        for component in components
        if len(component) >= MIN_PART
    )


def _use_graph(tops: Sequence[Definition], code: str, language: str) -> rx.PyGraph:
    fold = get_language(language).fold
    index = {fold(definition.name): position for position, definition in enumerate(tops)}
    graph = rx.PyGraph(multigraph=False)
    graph.add_nodes_from(list(range(len(tops))))
    for position, definition in enumerate(tops):
        for name in set(_NAME.findall(code, definition.span.start, definition.span.end)):
            other = index.get(fold(name))
            if other is not None and other != position:
                graph.add_edge(position, other, None)
    return graph


def god_findings(structure: Structure, config: GodModuleConfig) -> Iterator[Finding]:
    """A warning where a large module falls into parts, a note where it hangs together."""
    for module in find_god_modules(structure, config):
        falls_apart = len(module.parts) > 1
        tail = f" in {len(module.parts)} parts that do not use each other" if falls_apart else ""
        yield Finding(
            rule=GOD_MODULE.id,
            path=module.path,
            span=structure.line_span(module.path, 0),
            message=f"{structure.shown(module.path)} is far larger than the other modules: "
            f"{module.num_lines:,} lines, {module.num_definitions} definitions{tail}.",
            severity=GOD_MODULE.severity if falls_apart else Severity.NOTE,
            confidence=0.9 if falls_apart else 0.7,
            witness="; ".join(_describe(part) for part in module.parts[:_SHOWN_PARTS]),
        )


def _describe(part: Sequence[str]) -> str:
    rest = len(part) - _SHOWN_NAMES
    more = f" and {rest} more" if rest > 0 else ""
    return f"{len(part)} definitions: {', '.join(part[:_SHOWN_NAMES])}{more}"
