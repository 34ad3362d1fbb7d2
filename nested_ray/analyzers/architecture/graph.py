"""ModuleGraph: who depends on whom, with the number of links and one place as a witness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import rustworkx as rx

from nested_ray.repository.base import Link


@dataclass(frozen=True)
class Edge:
    """One node depends on another."""

    source: str
    target: str
    count: int
    """Links between the two."""
    witness: Link
    """The first of them, by file and place."""


@dataclass(frozen=True)
class ModuleGraph:
    """Nodes are modules, or groups of them such as packages; never an edge from a node to itself."""

    nodes: tuple[str, ...]
    edges: Mapping[tuple[str, str], Edge] = field(default_factory=dict)

    @cached_property
    def index(self) -> dict[str, int]:
        return {node: position for position, node in enumerate(self.nodes)}

    @cached_property
    def graph(self) -> rx.PyDiGraph:
        """Node payload is the name, edge payload the number of links."""
        graph = rx.PyDiGraph()
        graph.add_nodes_from(list(self.nodes))
        graph.add_edges_from(
            [(self.index[s], self.index[t], edge.count) for (s, t), edge in self.edges.items()]
        )
        return graph

    @cached_property
    def targets(self) -> dict[str, list[str]]:
        """What each node depends on, in order of name."""
        found: dict[str, list[str]] = {node: [] for node in self.nodes}
        for source, target in sorted(self.edges):
            found[source].append(target)
        return found

    @cached_property
    def sources(self) -> dict[str, list[str]]:
        """What depends on each node, in order of name."""
        found: dict[str, list[str]] = {node: [] for node in self.nodes}
        for source, target in sorted(self.edges):
            found[target].append(source)
        return found

    def grouped(self, labels: Mapping[str, str]) -> ModuleGraph:
        """The graph of the groups that `labels` names; links inside a group are left out."""
        edges: dict[tuple[str, str], Edge] = {}
        for edge in self.edges.values():
            source, target = labels[edge.source], labels[edge.target]
            if source == target:
                continue
            known = edges.get((source, target))
            count = edge.count + (known.count if known else 0)
            witness = min(edge.witness, known.witness, key=place) if known else edge.witness
            edges[source, target] = Edge(source, target, count, witness)
        return ModuleGraph(tuple(sorted({labels[node] for node in self.nodes})), edges)

    def without(self, dropped: Iterable[tuple[str, str]]) -> ModuleGraph:
        """The same nodes with some edges left out."""
        gone = set(dropped)
        return ModuleGraph(self.nodes, {k: edge for k, edge in self.edges.items() if k not in gone})

    def components(self) -> list[list[str]]:
        """Strongly connected components of two nodes and more, the largest first."""
        found = [
            sorted(self.nodes[index] for index in component)
            for component in rx.strongly_connected_components(self.graph)
            if len(component) > 1
        ]
        return sorted(found, key=lambda component: (-len(component), component))


def build_graph(paths: Iterable[str], links: Iterable[Link]) -> ModuleGraph:
    """Links between files, added up by pair of files; links to files not named are left out."""
    nodes = tuple(sorted(set(paths)))
    known = set(nodes)
    counts: dict[tuple[str, str], int] = {}
    first: dict[tuple[str, str], Link] = {}
    for link in links:
        key = (link.source, link.target)
        if link.source == link.target or link.source not in known or link.target not in known:
            continue
        counts[key] = counts.get(key, 0) + 1
        if key not in first or link.offset < first[key].offset:
            first[key] = link
    edges = {key: Edge(*key, count, first[key]) for key, count in sorted(counts.items())}
    return ModuleGraph(nodes, edges)


def place(link: Link) -> tuple[str, int]:
    return link.source, link.offset
