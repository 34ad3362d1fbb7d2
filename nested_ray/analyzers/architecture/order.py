"""An order of the nodes in which few and light edges point backwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from heapq import heappop, heappush

from nested_ray.analyzers.architecture.graph import Edge, ModuleGraph

MAX_EXACT_NODES = 2_000
"""Larger tangles are ordered by a heuristic whose cost grows with the number of edges alone."""


def flow_order(graph: ModuleGraph, nodes: Collection[str]) -> list[str]:
    """Users first, used last, so that the links of the edges against the order are few.

    Source: Eades, Lin and Smyth, "A fast and effective heuristic for the feedback arc set problem",
    1993, with edges weighed by their links. Sinks go to the end, sources to the front, and otherwise
    the node goes next that uses the most and is used the least.
    """
    inside = set(nodes)
    out = {n: sum(_weight(graph, n, t) for t in graph.targets[n] if t in inside) for n in inside}
    into = {n: sum(_weight(graph, s, n) for s in graph.sources[n] if s in inside) for n in inside}
    buckets = _Buckets()
    for node in sorted(inside):
        buckets.put(node, out[node], into[node])
    front: list[str] = []
    back: list[str] = []
    while inside:
        node, is_sink = buckets.take()
        inside.discard(node)
        (back if is_sink else front).append(node)
        for target in graph.targets[node]:
            if target in inside:
                into[target] -= _weight(graph, node, target)
                buckets.put(target, out[target], into[target])
        for source in graph.sources[node]:
            if source in inside:
                out[source] -= _weight(graph, source, node)
                buckets.put(source, out[source], into[source])
    return front + back[::-1]


def _weight(graph: ModuleGraph, source: str, target: str) -> int:
    return graph.edges[source, target].count


class _Buckets:
    """Nodes by how much more they use than they are used; the first named goes first."""

    def __init__(self) -> None:
        self._by_key: defaultdict[tuple[int, int], dict[str, None]] = defaultdict(dict)
        self._key_of: dict[str, tuple[int, int]] = {}
        self._waiting: list[tuple[int, int]] = []

    def put(self, node: str, out: int, into: int) -> None:
        key = (0, 0) if out == 0 else (1, 0) if into == 0 else (2, into - out)
        old = self._key_of.get(node)
        if old == key:
            return
        if old is not None:
            del self._by_key[old][node]
        self._key_of[node] = key
        if not self._by_key[key]:
            heappush(self._waiting, key)
        self._by_key[key][node] = None

    def take(self) -> tuple[str, bool]:
        """The next node, and whether it goes to the end."""
        while not self._by_key[self._waiting[0]]:
            heappop(self._waiting)
        key = self._waiting[0]
        node = next(iter(self._by_key[key]))
        del self._by_key[key][node], self._key_of[node]
        return node, key == (0, 0)


def backward_edges(graph: ModuleGraph, nodes: Collection[str]) -> list[Edge]:
    """Light edges whose removal leaves the nodes without a cycle.

    Edges are taken in from the heaviest down, and those that would close a circle are left out: an edge
    is only blamed for what heavier ones, which stay, say of the direction. So a link more somewhere
    changes nothing about heavier ones elsewhere. Very large tangles are put in `flow_order` instead.
    """
    inside = set(nodes)
    edges = [edge for (s, t), edge in graph.edges.items() if s in inside and t in inside]
    if len(inside) > MAX_EXACT_NODES:
        rank = {node: position for position, node in enumerate(flow_order(graph, nodes))}
        cut = [edge for edge in edges if rank[edge.source] > rank[edge.target]]
    else:
        cut = _closing(edges, sorted(inside))
    return sorted(cut, key=lambda edge: (edge.source, edge.target))


def _closing(edges: Sequence[Edge], nodes: Sequence[str]) -> list[Edge]:
    """Edges that close a circle with heavier ones that do not."""
    bit = {node: 1 << position for position, node in enumerate(nodes)}
    # What each node reaches, itself included, as the bits of one number.
    reach = dict(bit)
    cut: list[Edge] = []
    for edge in sorted(edges, key=lambda edge: (-edge.count, edge.source, edge.target)):
        gained = reach[edge.target]
        if gained & bit[edge.source]:
            cut.append(edge)
        elif not reach[edge.source] & bit[edge.target]:
            for node in nodes:
                if reach[node] & bit[edge.source]:
                    reach[node] |= gained
    return cut
