"""Cycles: groups of units that all depend on each other, and the links to cut to untangle them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from nested_ray.analyzers.architecture.graph import Edge, ModuleGraph
from nested_ray.analyzers.architecture.order import backward_edges


@dataclass(frozen=True)
class Cycle:
    """A link against the flow, and the shortest way back that makes it a cycle."""

    cut: Edge
    """The link to take out: the lightest against the order in which the others run."""
    path: tuple[Edge, ...]
    """The whole cycle, beginning with `cut`."""
    tangle: tuple[str, ...]
    """Every node that depends on every other one here: the strongly connected component."""


def find_cycles(graph: ModuleGraph) -> list[Cycle]:
    """One cycle per link to cut, the shortest through it; without those links no cycle remains."""
    found: list[Cycle] = []
    for component in graph.components():
        inside = set(component)
        for cut in backward_edges(graph, component):
            way = shortest_path(graph, cut.target, cut.source, inside)
            found.append(Cycle(cut, (cut, *way), tuple(component)))
    return sorted(found, key=lambda cycle: (cycle.cut.source, cycle.cut.target))


def shortest_path(
    graph: ModuleGraph, start: str, goal: str, inside: Collection[str]
) -> tuple[Edge, ...]:
    """Edges of a shortest way from start to goal; empty when there is none. Ties go by name."""
    came_from: dict[str, str] = {start: start}
    waiting = deque([start])
    while waiting and goal not in came_from:
        node = waiting.popleft()
        for target in graph.targets[node]:
            if target in inside and target not in came_from:
                came_from[target] = node
                waiting.append(target)
    if goal not in came_from:
        return ()
    way: list[Edge] = []
    while goal != start:
        way.append(graph.edges[came_from[goal], goal])
        goal = came_from[goal]
    return tuple(reversed(way))
