"""Graphs: adding up links, circles and the links to cut."""

from __future__ import annotations

import rustworkx as rx
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.analyzers.architecture import order
from nested_ray.analyzers.architecture.cycles import find_cycles, shortest_path
from nested_ray.analyzers.architecture.graph import Edge, ModuleGraph, build_graph
from nested_ray.analyzers.architecture.order import backward_edges, flow_order
from nested_ray.repository.base import Link


def link(source: str, target: str, offset: int = 0) -> Link:
    return Link(source, None, target, None, "import", offset)


def graph_of(counts: dict[tuple[str, str], int]) -> ModuleGraph:
    nodes = sorted({node for pair in counts for node in pair})
    edges = {(s, t): Edge(s, t, n, link(s, t)) for (s, t), n in counts.items()}
    return ModuleGraph(tuple(nodes), edges)


GRAPHS = st.dictionaries(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")).filter(
        lambda pair: pair[0] != pair[1]
    ),
    st.integers(1, 30),
    max_size=40,
).map(graph_of)


def test_links_are_added_up_and_the_first_is_kept():
    links = [link("a", "b", 9), link("a", "b", 3), link("b", "c"), link("a", "gone")]
    graph = build_graph(["a", "b", "c"], links)
    assert {key: (edge.count, edge.witness.offset) for key, edge in graph.edges.items()} == {
        ("a", "b"): (2, 3),
        ("b", "c"): (1, 0),
    }


def test_groups_add_up_what_runs_between_them():
    graph = graph_of({("a1", "b1"): 2, ("a2", "b1"): 3, ("a1", "a2"): 7})
    grouped = graph.grouped({"a1": "A", "a2": "A", "b1": "B"})
    assert {key: edge.count for key, edge in grouped.edges.items()} == {("A", "B"): 5}


@given(GRAPHS)
def test_without_the_backward_edges_no_circle_is_left(graph):
    cut = [(e.source, e.target) for c in graph.components() for e in backward_edges(graph, c)]
    assert rx.is_directed_acyclic_graph(graph.without(cut).graph)
    if rx.is_directed_acyclic_graph(graph.graph):
        assert cut == []


@given(GRAPHS)
def test_large_tangles_are_untangled_too(graph):
    for component in graph.components():
        assert sorted(flow_order(graph, component)) == component
    limit, order.MAX_EXACT_NODES = order.MAX_EXACT_NODES, 1
    try:
        cut = [(e.source, e.target) for c in graph.components() for e in backward_edges(graph, c)]
    finally:
        order.MAX_EXACT_NODES = limit
    assert rx.is_directed_acyclic_graph(graph.without(cut).graph)


@given(GRAPHS)
def test_every_circle_is_closed_and_the_shortest_through_its_cut(graph):
    for cycle in find_cycles(graph):
        steps = list(cycle.path)
        assert [e.target for e in steps] == [e.source for e in [*steps[1:], steps[0]]]
        lengths = rx.dijkstra_shortest_path_lengths(
            graph.graph, graph.index[cycle.cut.target], lambda _: 1.0
        )
        assert len(steps) - 1 == lengths[graph.index[cycle.cut.source]]


def test_the_lightest_link_of_a_circle_is_the_one_to_cut():
    (cycle,) = find_cycles(graph_of({("a", "b"): 9, ("b", "c"): 4, ("c", "a"): 1}))
    assert (cycle.cut.source, cycle.cut.target) == ("c", "a")
    assert [edge.source for edge in cycle.path] == ["c", "a", "b"]


def test_a_way_that_is_not_there_is_empty():
    graph = graph_of({("a", "b"): 1})
    assert shortest_path(graph, "b", "a", {"a", "b"}) == ()
