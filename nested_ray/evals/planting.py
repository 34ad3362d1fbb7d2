"""Planted faults: circles, layer breaks and moved functions put into a code base, and how many are found."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from nested_ray.analyzers.architecture.cycles import find_cycles
from nested_ray.analyzers.architecture.graph import Edge, ModuleGraph
from nested_ray.analyzers.architecture.layers import inferred_breaks, is_part_of
from nested_ray.analyzers.architecture.misplaced import (
    Judged,
    find_misplaced,
    from_training,
)
from nested_ray.analyzers.architecture.placement.samples import FunctionSample, Sample, Samples
from nested_ray.analyzers.architecture.placement.training import fit, is_telling
from nested_ray.repository.base import Link

MIN_FLOW = 20
"""Links between two packages for which one link back is planted."""
MAX_MOVED_SHARE = 0.01
_MAX_DISTANCE = 4
_TRIES = 200

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Planted:
    """What became of faults of one kind."""

    kind: str
    num_planted: int
    num_found: int
    """Planted faults that a new finding proves."""
    num_named: int
    """Those where it also stands at the planted link and not at another one of the circle."""
    num_right: int
    """New findings that a planted fault is part of."""
    num_new: int
    """Findings that were not there before."""
    num_before: int
    """Findings before anything was planted."""

    @property
    def recall(self) -> float:
        return self.num_found / max(self.num_planted, 1)

    @property
    def precision(self) -> float:
        """Share of the new findings that a planted fault is part of."""
        return self.num_right / max(self.num_new, 1)


def with_link(graph: ModuleGraph, source: str, target: str) -> ModuleGraph:
    """The graph with one more link."""
    known = graph.edges.get((source, target))
    witness = known.witness if known else Link(source, None, target, None, "use", 0)
    edge = Edge(source, target, 1 + (known.count if known else 0), witness)
    return ModuleGraph(graph.nodes, {**graph.edges, (source, target): edge})


def plant_cycles(
    graph: ModuleGraph, count: int, seed: int, *, inside: bool, on_progress: OnProgress
) -> Planted:
    """One link back along a way of one to four links, one circle at a time.

    `inside`: between nodes that are tangled together already; else between nodes that are not.
    """
    before = {(cycle.cut.source, cycle.cut.target) for cycle in find_cycles(graph)}
    found = named = right = new = planted = 0
    kind = "circle inside a tangle" if inside else "circle"
    for number, (source, target) in enumerate(backward_pairs(graph, count, seed, inside=inside)):
        on_progress(kind, number, count)
        cycles = find_cycles(with_link(graph, source, target))
        fresh = [c for c in cycles if (c.cut.source, c.cut.target) not in before]
        through = [
            c for c in fresh if any((e.source, e.target) == (source, target) for e in c.path)
        ]
        found += bool(through)
        named += any((c.cut.source, c.cut.target) == (source, target) for c in through)
        right += len(through)
        new += len(fresh)
        planted += 1
    return Planted(kind, planted, found, named, right, new, len(before))


def backward_pairs(
    graph: ModuleGraph, count: int, seed: int, *, inside: bool
) -> list[tuple[str, str]]:
    """(end, start) of random walks without a link from end to start."""
    chance = random.Random(seed)
    tangle_of = {node: number for number, nodes in enumerate(graph.components()) for node in nodes}
    starts = [node for node in graph.nodes if graph.targets[node]]
    pairs: dict[tuple[str, str], None] = {}
    for _ in range(count * _TRIES):
        if len(pairs) == count or not starts:
            break
        start = node = chance.choice(starts)
        for _ in range(chance.randint(1, _MAX_DISTANCE)):
            node = chance.choice(graph.targets[node]) if graph.targets[node] else node
        tangled = start in tangle_of and tangle_of[start] == tangle_of.get(node)
        if node != start and (node, start) not in graph.edges and tangled == inside:
            pairs[node, start] = None
    return list(pairs)


def plant_layer_breaks(packages: ModuleGraph, count: int, seed: int) -> Planted:
    """One link from a package to one that uses it at least twenty times and is not used by it."""
    before = {(each.edge.source, each.edge.target) for each in inferred_breaks(packages)}
    candidates = [
        (edge.target, edge.source)
        for edge in packages.edges.values()
        if edge.count >= MIN_FLOW
        and (edge.target, edge.source) not in packages.edges
        and not is_part_of(edge.source, edge.target)
    ]
    chosen = random.Random(seed).sample(candidates, min(count, len(candidates)))
    found = new = 0
    for source, target in chosen:
        breaks = inferred_breaks(with_link(packages, source, target))
        fresh = {(each.edge.source, each.edge.target) for each in breaks} - before
        found += (source, target) in fresh
        new += len(fresh)
    return Planted("layer break", len(chosen), found, found, found, new, len(before))


def plant_moves(
    samples: Samples,
    place_of: Mapping[str, int],
    places: Sequence[str],
    *,
    count: int,
    seed: int,
    min_confidence: float,
    on_progress: OnProgress,
) -> Planted:
    """Functions put into a unit of another place; what they use and who uses them stays.

    In rounds of at most one function in a hundred, for more would change what there is to learn.
    """
    package_of = {unit: places[place] if place >= 0 else "" for unit, place in place_of.items()}
    before = _found(from_training(fit(samples, place_of, places)), package_of, min_confidence)
    per_round = max(1, min(count, int(MAX_MOVED_SHARE * len(samples.functions))))
    planted = found = new = 0
    for number in range(-(-count // per_round)):
        on_progress("moved functions", planted, count)
        moved, keys = move_functions(samples, place_of, count=per_round, seed=seed + number)
        after = _found(from_training(fit(moved, place_of, places)), package_of, min_confidence)
        planted += len(keys)
        found += len(after & keys)
        new += len(after - before | after & keys)
    return Planted("moved function", planted, found, found, found, new, len(before))


Key = tuple[str, int]


def _found(judged: Judged, package_of: Mapping[str, str], min_confidence: float) -> set[Key]:
    """(path, definition) of misplaced functions; whole units by their name."""
    found: set[Key] = set()
    for each in find_misplaced(judged, package_of, min_confidence):
        if isinstance(each.sample, FunctionSample):
            found.add((each.sample.path, each.sample.definition))
        else:
            found.add((each.sample.unit, -1))
    return found


def move_functions(
    samples: Samples, place_of: Mapping[str, int], *, count: int, seed: int
) -> tuple[Samples, set[Key]]:
    """Samples in which some functions stand in other units, and which ones."""
    chance = random.Random(seed)
    candidates = [f for f in samples.functions if place_of[f.unit] >= 0 and is_telling(f)]
    chosen = chance.sample(candidates, min(count, len(candidates)))
    known = sorted(unit for unit, place in place_of.items() if place >= 0)
    units = {unit: _copy(sample) for unit, sample in samples.units.items()}
    new_unit: dict[Key, str] = {}
    for function in chosen:
        others = [unit for unit in known if place_of[unit] != place_of[function.unit]]
        if others:
            target = chance.choice(others)
            new_unit[function.path, function.definition] = target
            _move(function, units[function.unit], units[target])
    functions = [
        replace(f, unit=new_unit.get((f.path, f.definition), f.unit)) for f in samples.functions
    ]
    return Samples(units, functions), set(new_unit)


def _copy(sample: Sample) -> Sample:
    return Sample(sample.unit, Counter(sample.words), Counter(sample.uses), Counter(sample.used_by))


def _move(function: FunctionSample, source: Sample, target: Sample) -> None:
    """Words and links go along; what were siblings are links between the two units now."""
    source.words.subtract(function.words)
    source.words += Counter()  # drops what is gone
    target.words.update(function.words)
    for unit, count in function.uses.items():
        if unit != target.unit:
            target.uses[unit] += count
        if unit != source.unit:
            source.uses[unit] -= count
    for unit, count in function.used_by.items():
        if unit != target.unit:
            target.used_by[unit] += count
        if unit != source.unit:
            source.used_by[unit] -= count
    source.uses += Counter()
    source.used_by += Counter()
