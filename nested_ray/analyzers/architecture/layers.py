"""Layers: which files stand above which, as declared or as the links themselves say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import rustworkx as rx
from pathspec import GitIgnoreSpec

from nested_ray.analyzers.architecture.graph import Edge, ModuleGraph, place
from nested_ray.analyzers.architecture.order import backward_edges
from nested_ray.config.architecture import LayerConfig
from nested_ray.errors import ConfigError
from nested_ray.repository.base import Link

MIN_FLOW = 8
"""Links in one direction from which on it is the direction the design has."""
MAX_COUNTER_SHARE = 0.1
"""Share of links in the other direction up to which those are the exception."""
_MAX_WAY = 3


@dataclass(frozen=True)
class DeclaredBreak:
    """A link that the declared layers do not allow."""

    link: Link
    source_layer: str
    target_layer: str


@dataclass(frozen=True)
class InferredBreak:
    """A few links against the direction in which many go."""

    edge: Edge
    """From the package that is used to the one that uses it."""
    flow: tuple[Edge, ...]
    """The way in the usual direction, from the target of `edge` back to its source."""

    @property
    def strength(self) -> int:
        """Links of the thinnest part of the usual way."""
        return min(edge.count for edge in self.flow)

    @property
    def confidence(self) -> float:
        """That the direction is meant: share of links along it, one more on each side assumed."""
        return (self.strength + 1) / (self.strength + self.edge.count + 2)


def assign_layers(paths: Sequence[str], layers: Sequence[LayerConfig]) -> dict[str, str]:
    """Path → name of the first layer that matches it; files of no layer are left out."""
    try:
        patterns = [(layer.name, GitIgnoreSpec.from_lines(layer.paths)) for layer in layers]
    except ValueError as exc:
        raise ConfigError(
            f"architecture.layers: {exc}; patterns are written as in .gitignore"
        ) from exc
    found: dict[str, str] = {}
    for path in paths:
        name = next((name for name, spec in patterns if spec.match_file(path)), None)
        if name is not None:
            found[path] = name
    return found


def declared_breaks(
    links: Sequence[Link], layers: Sequence[LayerConfig], layer_of: Mapping[str, str]
) -> list[DeclaredBreak]:
    """The first link of each pair of files that the declaration does not allow."""
    allowed = allowed_uses(layers)
    first: dict[tuple[str, str], Link] = {}
    for link in links:
        source, target = layer_of.get(link.source), layer_of.get(link.target)
        if source is None or target is None or target in allowed[source]:
            continue
        known = first.get((link.source, link.target))
        if known is None or link.offset < known.offset:
            first[link.source, link.target] = link
    return [
        DeclaredBreak(link, layer_of[link.source], layer_of[link.target])
        for link in sorted(first.values(), key=place)
    ]


def allowed_uses(layers: Sequence[LayerConfig]) -> dict[str, set[str]]:
    """Layer → layers its files may depend on: its own, and what it names or all that stand below."""
    names = [layer.name for layer in layers]
    return {
        layer.name: {layer.name, *(names[position:] if layer.may_use is None else layer.may_use)}
        for position, layer in enumerate(layers)
    }


def inferred_breaks(packages: ModuleGraph) -> list[InferredBreak]:
    """Light edges between packages against a heavy way in the other direction."""
    found: list[InferredBreak] = []
    for component in packages.components():
        inside = set(component)
        for source in component:
            for target in packages.targets[source]:
                edge = packages.edges[source, target]
                # A package may offer what its own parts make: that is what it is for.
                if target in inside and not is_part_of(target, source):
                    way = heavy_way(packages, target, source, minimum=needed_flow(edge.count))
                    if way:
                        found.append(InferredBreak(edge, way))
    return sorted(found, key=lambda each: (each.edge.source, each.edge.target))


def is_part_of(part: str, whole: str) -> bool:
    """Whether a package lies inside another one: `json.tool` in `json`."""
    return part.startswith((f"{whole}.", f"{whole}/"))


def needed_flow(count: int) -> int:
    """Links the other direction must have for `count` to be the exception."""
    return max(MIN_FLOW, round(count * (1 - MAX_COUNTER_SHARE) / MAX_COUNTER_SHARE))


def heavy_way(graph: ModuleGraph, start: str, goal: str, *, minimum: int) -> tuple[Edge, ...]:
    """A way of at most three one-way edges of `minimum` links and more; the shortest, then the heaviest."""
    ways: dict[str, tuple[Edge, ...]] = {start: ()}
    frontier = [start]
    for _ in range(_MAX_WAY):
        reached: dict[str, tuple[Edge, ...]] = {}
        for node in frontier:
            for target in graph.targets[node]:
                edge = graph.edges[node, target]
                if edge.count >= minimum and target not in ways and is_one_way(graph, edge):
                    way = (*ways[node], edge)
                    if target not in reached or _thinnest(way) > _thinnest(reached[target]):
                        reached[target] = way
        if goal in reached:
            return reached[goal]
        ways |= reached
        frontier = sorted(reached)
    return ()


def is_one_way(graph: ModuleGraph, edge: Edge) -> bool:
    """Whether there are hardly any links back: only then it shows what stands above what."""
    back = graph.edges.get((edge.target, edge.source))
    return back is None or edge.count >= needed_flow(back.count)


def _thinnest(way: tuple[Edge, ...]) -> int:
    return min(edge.count for edge in way)


def levels_of(graph: ModuleGraph) -> list[list[str]]:
    """Nodes from the top down: each depends on those below, but for the fewest and lightest links.

    A node stands one level above the highest of what it uses.
    """
    cut = [(e.source, e.target) for c in graph.components() for e in backward_edges(graph, c)]
    flow = graph.without(cut)
    height = dict.fromkeys(graph.nodes, 0)
    for index in reversed(rx.topological_sort(flow.graph)):
        node = flow.nodes[index]
        height[node] = 1 + max((height[target] for target in flow.targets[node]), default=-1)
    rows: dict[int, list[str]] = {}
    for node in graph.nodes:
        rows.setdefault(height[node], []).append(node)
    return [rows[level] for level in sorted(rows, reverse=True)]
