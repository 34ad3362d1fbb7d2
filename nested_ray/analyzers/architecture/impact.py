"""Impact: what a change of files or definitions can reach, how far away, and by which way."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nested_ray.analyzers.architecture.structure import Structure
from nested_ray.errors import ConfigError
from nested_ray.languages import get_language
from nested_ray.languages.base import Span
from nested_ray.repository.base import Link
from nested_ray.repository.enclosing import Enclosing

_NAME = re.compile(r"[^\W\d]\w*")
_MAX_NAMESAKES = 20
"""Definitions of one name in one file that a use of it may mean."""

Node = tuple[str, int | None]
"""Path and definition; None for the module as a whole."""


@dataclass(frozen=True)
class Impacted:
    """A file that a change can reach."""

    path: str
    distance: int
    """Links between the change and the file."""
    num_links: int
    """Links from this file to what is changed or impacted before it."""
    way: tuple[Link, ...]
    """From this file to the change, each step proven by a link; steps inside one file lead back to it."""
    definitions: tuple[str, ...]
    """Qualified names of the definitions that are reached; the module itself is not named."""


def impact_of(structure: Structure, changed: Collection[Node]) -> list[Impacted]:
    """Files that depend on what is changed, directly or not; the nearest and most entangled first.

    What uses a changed definition is reached, in its own file and in others, and what uses that in
    turn. A file that only imports a name is reached, but passes nothing on.
    """
    users, inside = _users(structure), _UsesInside(structure)
    distance: dict[Node, int] = dict.fromkeys(sorted(changed, key=_order), 0)
    by: dict[Node, Link] = {}
    waiting = deque(distance)
    passing_on = set(distance)
    while waiting:
        node = waiting.popleft()
        for link in (*users.get(node, ()), *inside.of(node)):
            user = (link.source, link.source_definition)
            if user not in distance:
                distance[user] = distance[node] + 1
                by[user] = link
            if link.kind != "import" and user not in passing_on:
                passing_on.add(user)
                waiting.append(user)
    return _ranked(structure, distance, by, {path for path, _ in changed})


def impact_values(
    structure: Structure, changed: Sequence[Node], found: Sequence[Impacted]
) -> dict[str, Any]:
    """Plain values: what is changed, and the files that it can reach with one way to each."""
    return {
        "changed": sorted({_named(structure, node) for node in changed}),
        "impacted": [
            {
                "path": each.path,
                "distance": each.distance,
                "num_links": each.num_links,
                "definitions": list(each.definitions),
                "way": [
                    {
                        "from": _named(structure, (link.source, link.source_definition)),
                        "to": _named(structure, (link.target, link.target_definition)),
                        "kind": link.kind,
                        "at": structure.where(link),
                    }
                    for link in each.way
                ],
            }
            for each in found
        ],
    }


def _named(structure: Structure, node: Node) -> str:
    symbol = structure.symbol(*node)
    return f"{node[0]}:{symbol}" if symbol else node[0]


def _users(structure: Structure) -> dict[Node, list[Link]]:
    """Links from other files by what they lead to."""
    found: defaultdict[Node, list[Link]] = defaultdict(list)
    for link in structure.repository.links:
        found[link.target, link.target_definition].append(link)
    return found


class _UsesInside:
    """Which definitions of a file name which others of it, read once per file."""

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self._by_path: dict[str, dict[int, list[Link]]] = {}

    def of(self, node: Node) -> list[Link]:
        """The first place in each other definition of the file that names the definition."""
        path, index = node
        if index is None:
            return []
        if path not in self._by_path:
            self._by_path[path] = self._read(path)
        return self._by_path[path].get(index, [])

    def _read(self, path: str) -> dict[int, list[Link]]:
        file = self._structure.repository.files[path]
        definitions = self._structure.definitions(path)
        fold = get_language(file.language).fold
        by_name: defaultdict[str, list[int]] = defaultdict(list)
        for index, definition in enumerate(definitions):
            if len(by_name[fold(definition.name)]) < _MAX_NAMESAKES:
                by_name[fold(definition.name)].append(index)
        around = Enclosing(definitions)
        found: defaultdict[int, list[Link]] = defaultdict(list)
        seen: set[tuple[int, int]] = set()
        for match in _NAME.finditer(file.text):
            user = around.of(match.start())
            for index in by_name.get(fold(match[0]), ()):
                if user != index and (user, index) not in seen:
                    seen.add((user, index))
                    source = None if user < 0 else user
                    found[index].append(Link(path, source, path, index, "use", match.start()))
        return found


def _order(node: Node) -> tuple[str, int]:
    return node[0], -1 if node[1] is None else node[1]


def _ranked(
    structure: Structure,
    distance: dict[Node, int],
    by: dict[Node, Link],
    changed: set[str],
) -> list[Impacted]:
    nodes: defaultdict[str, list[Node]] = defaultdict(list)
    for node in distance:
        if node[0] not in changed:
            nodes[node[0]].append(node)
    reached = set(distance)
    counts: defaultdict[str, int] = defaultdict(int)
    for link in structure.repository.links:
        if (link.target, link.target_definition) in reached:
            counts[link.source] += 1
    found = [
        Impacted(
            path,
            min(distance[node] for node in members),
            counts[path],
            _way(min(members, key=lambda node: (distance[node], _order(node))), by),
            tuple(
                structure.symbol(path, i) for _, i in sorted(members, key=_order) if i is not None
            ),
        )
        for path, members in nodes.items()
    ]
    return sorted(found, key=lambda each: (each.distance, -each.num_links, each.path))


def _way(node: Node, by: dict[Node, Link]) -> tuple[Link, ...]:
    way: list[Link] = []
    while node in by:
        link = by[node]
        way.append(link)
        node = (link.target, link.target_definition)
    return tuple(way)


def changed_nodes(structure: Structure, name: str) -> list[Node]:
    """What a path, a 1C object, a module or a definition names; ConfigError where nothing has that name.

    `a/b.py`, `a/b.py:load`, `a.b`, `a.b.load`, `Catalog.Валюты`, `ОбщегоНазначения.Метод`, `load`.
    """
    path, _, symbol = name.partition(":")
    if path in structure.repository.files:
        return list(_in_file(structure, path, symbol)) if symbol else whole_file(structure, path)
    if name in structure.layout.files_of:
        return [n for file in structure.layout.files_of[name] for n in whole_file(structure, file)]
    found = list(_by_qualified_name(structure, name))
    if not found:
        raise ConfigError(
            f"{name!r} is no file, module, object or definition here; name a path relative to the "
            "root, or path:definition"
        )
    return found


def whole_file(structure: Structure, path: str) -> list[Node]:
    """The module and everything it defines."""
    return [(path, None), *((path, index) for index in range(len(structure.definitions(path))))]


def in_spans(structure: Structure, path: str, spans: Iterable[Span]) -> list[Node]:
    """The definitions that changed stretches of a file touch; the module for what lies outside."""
    found: set[Node] = set()
    definitions = structure.definitions(path)
    for span in spans:
        end = max(span.end, span.start + 1)
        touched = [
            i for i, d in enumerate(definitions) if d.span.start < end and span.start < d.span.end
        ]
        found.update((path, index) for index in touched)
        if not touched:
            found.add((path, None))
    return sorted(found, key=_order)


def _in_file(structure: Structure, path: str, symbol: str) -> Iterator[Node]:
    fold = get_language(structure.repository.files[path].language).fold
    for index, definition in enumerate(structure.definitions(path)):
        qualified = f"{definition.parent}.{definition.name}"
        if fold(symbol) in (fold(definition.name), fold(qualified)):
            yield path, index


def _by_qualified_name(structure: Structure, name: str) -> Iterator[Node]:
    wanted = name.casefold()
    owner = wanted.rpartition(".")[0]
    for path in structure.repository.files:
        unit = structure.shown(structure.layout.unit_of[path]).casefold()
        if ends_with_name(unit, wanted):
            yield from whole_file(structure, path)
        elif not owner:
            yield from _in_file(structure, path, name)
        elif ends_with_name(unit, owner):
            yield from _in_file(structure, path, name.rpartition(".")[2])
        elif "." in owner and ends_with_name(unit, owner.rpartition(".")[0]):
            yield from _in_file(structure, path, ".".join(name.split(".")[-2:]))


def ends_with_name(name: str, ending: str) -> bool:
    """Whether the last dotted parts of a name are `ending`."""
    return name == ending or name.endswith("." + ending)
