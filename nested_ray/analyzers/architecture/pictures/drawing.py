"""Drawing: at most sixty groups of packages in rows, users above what they use; the same every time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nested_ray.analyzers.architecture.graph import Edge, ModuleGraph
from nested_ray.analyzers.architecture.layers import levels_of
from nested_ray.analyzers.architecture.order import backward_edges
from nested_ray.analyzers.architecture.report import ArchitectureReport
from nested_ray.analyzers.architecture.units import shown_packages
from nested_ray.repository.base import Link

MAX_NODES = 60
MAX_EDGES = 240
"""The heaviest ones are drawn, and all that run against the flow."""
_PER_ROW = 8
_SWEEPS = 4
_NODE_HEIGHT, _ROW_GAP, _NODE_GAP, _MARGIN = 40, 64, 24, 24
_CHAR_WIDTH, _MIN_WIDTH, _MAX_CHARS = 7, 90, 34


@dataclass(frozen=True)
class Node:
    """One box."""

    name: str
    label: str
    """The name, shortened in the middle where it is long."""
    packages: tuple[str, ...]
    num_units: int
    num_lines: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Arrow:
    """One dependency."""

    source: Node
    target: Node
    count: int
    is_against: bool


@dataclass(frozen=True)
class Drawing:
    """Boxes with places and the arrows between them."""

    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    width: int
    height: int
    num_hidden_arrows: int


def draw(report: ArchitectureReport, *, max_nodes: int = MAX_NODES) -> Drawing:
    """Lay out the packages of a report, drawn together where there are too many."""
    group_of = shown_packages({each.name: each.num_units for each in report.packages}, max_nodes)
    graph = _grouped(report, group_of)
    rows = _ordered(graph, _rows(graph))
    nodes = _placed(report, group_of, rows)
    against = {
        (edge.source, edge.target) for c in graph.components() for edge in backward_edges(graph, c)
    }
    edges = sorted(
        graph.edges.values(),
        key=lambda e: ((e.source, e.target) not in against, -e.count, e.source, e.target),
    )
    arrows = [
        Arrow(nodes[e.source], nodes[e.target], e.count, (e.source, e.target) in against)
        for e in edges[:MAX_EDGES]
    ]
    width = max((node.x + node.width for node in nodes.values()), default=0) + _MARGIN
    height = max((node.y + node.height for node in nodes.values()), default=0) + _MARGIN
    return Drawing(tuple(nodes.values()), tuple(arrows), width, height, len(edges) - len(arrows))


def _grouped(report: ArchitectureReport, group_of: Mapping[str, str]) -> ModuleGraph:
    counts: dict[tuple[str, str], int] = {}
    for each in report.dependencies:
        key = (group_of[each.source], group_of[each.target])
        if key[0] != key[1]:
            counts[key] = counts.get(key, 0) + each.count
    edges = {
        (s, t): Edge(s, t, count, Link(s, None, t, None, "use", 0))
        for (s, t), count in counts.items()
    }
    return ModuleGraph(tuple(sorted(set(group_of.values()))), edges)


def _rows(graph: ModuleGraph) -> list[list[str]]:
    """Levels from the top down, long ones broken."""
    return [
        level[start : start + _PER_ROW]
        for level in levels_of(graph)
        for start in range(0, len(level), _PER_ROW)
    ]


def _ordered(graph: ModuleGraph, rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Each row in the order of the mean place of its neighbours, so that arrows cross less."""
    ordered = [list(row) for row in rows]
    place = {name: index / max(len(row), 1) for row in ordered for index, name in enumerate(row)}
    for _ in range(_SWEEPS):
        for row in ordered:
            means: defaultdict[str, float] = defaultdict(float)
            for name in row:
                around = graph.sources[name] + graph.targets[name]
                means[name] = (
                    sum(place[other] for other in around) / len(around) if around else place[name]
                )
            row.sort(key=lambda name: (means[name], name))
            place.update({name: index / max(len(row), 1) for index, name in enumerate(row)})
    return ordered


def _placed(
    report: ArchitectureReport, group_of: Mapping[str, str], rows: Sequence[Sequence[str]]
) -> dict[str, Node]:
    members: defaultdict[str, list[str]] = defaultdict(list)
    units: defaultdict[str, int] = defaultdict(int)
    lines: defaultdict[str, int] = defaultdict(int)
    for package in report.packages:
        group = group_of[package.name]
        members[group].append(package.name)
        units[group] += package.num_units
        lines[group] += package.num_lines
    widths = [sum(_width(shorten(name)) + _NODE_GAP for name in row) - _NODE_GAP for row in rows]
    widest = max(widths, default=0)
    nodes: dict[str, Node] = {}
    y = _MARGIN
    for row, row_width in zip(rows, widths, strict=True):
        x = _MARGIN + (widest - row_width) // 2
        for name in row:
            label = shorten(name)
            nodes[name] = Node(
                name, label, tuple(members[name]), units[name], lines[name], x, y, _width(label), _NODE_HEIGHT
            )  # fmt: skip
            x += _width(label) + _NODE_GAP
        y += _NODE_HEIGHT + _ROW_GAP
    return nodes


def shorten(name: str) -> str:
    """The last part of a long name, else its beginning and end."""
    if len(name) > _MAX_CHARS:
        name = name.replace("/", ".").rpartition(".")[2] or name
    if len(name) <= _MAX_CHARS:
        return name
    half = _MAX_CHARS // 2
    return f"{name[:half]}…{name[-half:]}"


def _width(label: str) -> int:
    return max(_MIN_WIDTH, len(label) * _CHAR_WIDTH + 20)
