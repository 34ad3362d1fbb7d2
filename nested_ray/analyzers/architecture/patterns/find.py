"""A repository → the design patterns in it, each with the places that show it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from nested_ray.analyzers.architecture.patterns.base import PatternMatch
from nested_ray.analyzers.architecture.patterns.bsl import bsl_patterns
from nested_ray.analyzers.architecture.patterns.python_behaviour import (
    observers,
    strategies,
    template_methods,
    visitors,
)
from nested_ray.analyzers.architecture.patterns.python_creation import (
    Found,
    builders,
    factories,
    singletons,
)
from nested_ray.analyzers.architecture.patterns.python_facts import Module, read_module
from nested_ray.analyzers.architecture.patterns.python_structure import (
    adapters,
    decorators,
    repositories,
)
from nested_ray.analyzers.architecture.structure import Structure
from nested_ray.analyzers.findings import Location
from nested_ray.repository.base import SourceFile

PYTHON_PATTERNS: dict[str, Callable[[Module], Iterator[Found]]] = {
    "factory": factories,
    "singleton": singletons,
    "builder": builders,
    "adapter": adapters,
    "decorator": decorators,
    "repository": repositories,
    "observer": observers,
    "strategy": strategies,
    "visitor": visitors,
    "template-method": template_methods,
}
MAX_EVIDENCE = 6


def find_patterns(structure: Structure) -> list[PatternMatch]:
    """Patterns of all files, by path and place."""
    found: list[PatternMatch] = []
    for file in structure.repository.files.values():
        if file.language == "python":
            found.extend(python_patterns(file, structure))
    found.extend(bsl_patterns(structure))
    return sorted(found, key=lambda m: (m.path, m.evidence[0].span.start, m.pattern, m.symbol))


def python_patterns(file: SourceFile, structure: Structure) -> Iterator[PatternMatch]:
    """Patterns of one Python file; none where it does not parse."""
    module = read_module(file.text)
    if module is None:
        return
    starts = line_starts(file.text)
    for pattern, predicate in PYTHON_PATTERNS.items():
        for symbol, shown in predicate(module):
            places = [_location(structure, file.path, starts, *each) for each in shown]
            yield PatternMatch(pattern, symbol, tuple(places[:MAX_EVIDENCE]))


def line_starts(text: str) -> list[int]:
    """Offset of each line."""
    starts = [0]
    for position, char in enumerate(text):
        if char == "\n":
            starts.append(position + 1)
    return starts


def _location(
    structure: Structure, path: str, starts: list[int], node: ast.AST, message: str
) -> Location:
    line = getattr(node, "lineno", 1)
    return Location(path, structure.line_span(path, starts[min(line, len(starts)) - 1]), message)
