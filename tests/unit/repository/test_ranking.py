import numpy as np
import pytest
import rustworkx
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.repository.ranking import DAMPING, UseGraph, Uses, shares

NUM_NODES = 12
USES = st.lists(
    st.tuples(st.integers(0, NUM_NODES - 1), st.integers(0, NUM_NODES - 1), st.integers(1, 9)),
    min_size=1,
    max_size=40,
)


def graph_of(uses: list[tuple[int, int, int]]) -> UseGraph:
    """Three nodes a file."""
    owners = [f"file{node // 3}.py" for node in range(NUM_NODES)]
    return UseGraph(owners, [Uses(*use) for use in uses if use[0] != use[1]])


def exact(graph: UseGraph, seed: int, asking: str) -> np.ndarray:
    """The fixed point as a linear system; nodes of the asking file pass nothing on."""
    transition = np.zeros((NUM_NODES, NUM_NODES))
    for node, edges in graph.edges.items():
        for neighbour, share in edges:
            if graph.owners[node] != asking:
                transition[neighbour, node] += share
    start = np.zeros(NUM_NODES)
    start[seed] = 1.0
    scores = np.linalg.solve(np.eye(NUM_NODES) - DAMPING * transition, (1 - DAMPING) * start)
    scores[[owner == asking for owner in graph.owners]] = 0.0
    return scores


@given(USES, st.integers(0, NUM_NODES - 1), st.sampled_from(["file0.py", "file3.py", "none.py"]))
def test_push_comes_as_near_to_the_exact_answer_as_asked(
    uses: list[tuple[int, int, int]], seed: int, asking: str
):
    graph = graph_of(uses)
    found = graph.push(seed, asking=asking, epsilon=1e-9, max_pushes=100_000)
    expected = exact(graph, seed, asking)
    assert [found.get(node, 0.0) for node in range(NUM_NODES)] == pytest.approx(expected, abs=1e-6)


@given(USES, st.integers(0, NUM_NODES - 1), st.sampled_from(["file0.py", "none.py"]))
def test_a_bounded_push_never_says_more_than_is_true(
    uses: list[tuple[int, int, int]], seed: int, asking: str
):
    graph = graph_of(uses)
    expected = exact(graph, seed, asking)
    for node, score in graph.push(seed, asking=asking, max_pushes=5).items():
        assert score <= expected[node] + 1e-12


@given(USES)
def test_push_agrees_with_rustworkx(uses: list[tuple[int, int, int]]):
    graph = graph_of(uses)
    if not graph.edges:
        return
    seed = next(iter(graph.edges))
    other = rustworkx.PyDiGraph()
    other.add_nodes_from(range(NUM_NODES))
    for node, edges in graph.edges.items():
        other.add_edges_from([(node, neighbour, share) for neighbour, share in edges])
    expected = rustworkx.pagerank(
        other, alpha=DAMPING, weight_fn=float, personalization={seed: 1.0}, tol=1e-12, max_iter=500
    )
    found = graph.push(seed, asking="none.py", epsilon=1e-9, max_pushes=100_000)
    for node in graph.edges:
        assert found.get(node, 0.0) == pytest.approx(expected[node], abs=1e-6)


@given(USES, st.lists(st.tuples(st.integers(0, NUM_NODES - 1), st.floats(0.1, 2)), max_size=4))
def test_a_sum_of_seeds_has_the_sum_of_their_ranks(
    uses: list[tuple[int, int, int]], seeds: list[tuple[int, float]]
):
    graph = graph_of(uses)
    expected = np.zeros(NUM_NODES)
    for seed, weight in dict(seeds).items():
        for node, score in graph.rank({seed: 1.0}, asking="file1.py").items():
            expected[node] += weight * score
    found = graph.rank(dict(seeds), asking="file1.py")
    assert [found.get(node, 0.0) for node in range(NUM_NODES)] == pytest.approx(expected)


def test_edges_of_the_asking_file_tell_nothing():
    """Node 3 uses 0; what else file1 uses must not show through it."""
    with_other = graph_of([(3, 0, 1), (3, 6, 5), (9, 0, 1)])
    asked = with_other.rank({0: 1.0}, asking="file1.py")
    assert asked.get(6, 0.0) == 0.0
    assert with_other.rank({0: 1.0}, asking="file2.py").get(6, 0.0) == 0.0
    assert with_other.rank({0: 1.0}, asking="none.py")[6] > 0.0


@given(
    st.dictionaries(st.integers(0, 50), st.floats(0.01, 9), max_size=40),
    st.dictionaries(st.integers(0, 50), st.floats(0.01, 9), max_size=40),
)
def test_shares_add_up_to_one(forward: dict[int, float], backward: dict[int, float]):
    found = shares(forward, backward)
    assert sum(share for _, share in found) == pytest.approx(1.0 if forward or backward else 0.0)
