"""Personalised PageRank over definitions and the code that uses them."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

DAMPING = 0.5
"""Share of a walk that goes on at each step: what is near matters here, not the whole graph."""
USERS_SHARE = 0.5
"""Of the weight that leaves a definition, this goes to the code that uses it, the rest to what it uses."""
MAX_NEIGHBOURS = 24
"""Per node and direction, the most specific ones; a definition that everything uses says little."""
EPSILON = 2e-3
"""Residual that is not passed on."""
MAX_PUSHES = 60
"""Per seed; bounds the time of one vector, whatever the graph."""
MAX_CACHED = 4_096


class Uses(NamedTuple):
    """How often one node uses a definition of another file."""

    user: int
    definition: int
    num_uses: int


class UseGraph:
    """Nodes are numbered like `owners`: definitions, then files; an edge leads to what a node uses, and back."""

    def __init__(self, owners: Sequence[str], uses: Iterable[Uses]) -> None:
        self.owners = owners
        """Path of the file each node lies in."""
        self.edges = edges_of(uses)
        if self.edges and not 0 <= min(self.edges) <= max(self.edges) < len(owners):
            raise ValueError("a use names a definition that is not there")
        self._cache: OrderedDict[tuple[int, str], tuple[tuple[int, float], ...]] = OrderedDict()

    def rank(self, seeds: Mapping[int, float], *, asking: str) -> dict[int, float]:
        """Personalised PageRank of the nodes near the seeds, without those of the asking file.

        A walk that comes to the asking file ends there: its edges tell what the file goes on to use.
        The vector of a sum of seeds is the sum of their vectors, and those are kept.
        """
        scores: dict[int, float] = defaultdict(float)
        for seed, weight in seeds.items():
            for node, score in self._vector(seed, asking):
                scores[node] += weight * score
        return scores

    def _vector(self, seed: int, asking: str) -> tuple[tuple[int, float], ...]:
        key = seed, asking
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        found = self._cache[key] = tuple(self.push(seed, asking=asking).items())
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return found

    def push(
        self,
        seed: int,
        *,
        asking: str,
        epsilon: float = EPSILON,
        max_pushes: int = MAX_PUSHES,
    ) -> dict[int, float]:
        """Approximate PageRank personalised to one node, by forward push.

        Every score is at most the exact one, and what all lack together is the residual left.
        Source: Andersen, Chung, Lang, Local Graph Partitioning using PageRank Vectors, 2006.
        """
        scores: dict[int, float] = {}
        residual = {seed: 1.0}
        queue = deque([seed])
        while queue and max_pushes:
            node = queue.popleft()
            mass = residual.pop(node)
            if self.owners[node] == asking:
                continue
            max_pushes -= 1
            scores[node] = scores.get(node, 0.0) + (1 - DAMPING) * mass
            for neighbour, share in self.edges.get(node, ()):
                before = residual.get(neighbour, 0.0)
                after = residual[neighbour] = before + DAMPING * mass * share
                if before < epsilon <= after:
                    queue.append(neighbour)
        for node, mass in residual.items():
            if mass >= epsilon and self.owners[node] != asking:
                scores[node] = scores.get(node, 0.0) + (1 - DAMPING) * mass
        return scores


def edges_of(uses: Iterable[Uses]) -> dict[int, tuple[tuple[int, float], ...]]:
    """Neighbours with the share of the weight each is passed; shares of a node add up to one."""
    used: dict[int, dict[int, float]] = defaultdict(dict)
    users: dict[int, dict[int, float]] = defaultdict(dict)
    for user, definition, count in uses:
        used[user][definition] = used[user].get(definition, 0.0) + count
        users[definition][user] = users[definition].get(user, 0.0) + count
    # A use says the more, the fewer others use the definition, and the less its user uses besides.
    forward = {
        node: {
            other: (1 + weight) ** 0.5 / len(users[other]) ** 0.5 for other, weight in found.items()
        }
        for node, found in used.items()
    }
    backward = {
        node: {other: (1 + weight) ** 0.5 / len(used[other]) for other, weight in found.items()}
        for node, found in users.items()
    }
    return {
        node: shares(forward.get(node, {}), backward.get(node, {}))
        for node in sorted(forward.keys() | backward.keys())
    }


def shares(
    forward: Mapping[int, float], backward: Mapping[int, float]
) -> tuple[tuple[int, float], ...]:
    """The heaviest neighbours each way, as shares of one."""
    found: dict[int, float] = defaultdict(float)
    towards_users = USERS_SHARE if forward else 1.0
    for neighbours, part in (
        (forward, 1 - towards_users if backward else 1.0),
        (backward, towards_users),
    ):
        heaviest = sorted(neighbours.items(), key=lambda item: (-item[1], item[0]))[:MAX_NEIGHBOURS]
        total = sum(weight for _, weight in heaviest)
        for node, weight in heaviest:
            found[node] += part * weight / total
    return tuple(sorted(found.items()))
