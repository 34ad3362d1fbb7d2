"""A repository → its PlacementModel, and what that model says of each unit and function it has not seen.

# N items, U units, V words, C places
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nested_ray.analyzers.architecture.metadata import subsystem_of
from nested_ray.analyzers.architecture.placement.evidence import (
    FEATURES,
    fit_weights,
    probabilities,
)
from nested_ray.analyzers.architecture.placement.model import PlacementModel
from nested_ray.analyzers.architecture.placement.ridge import Ridge, fit_ridge
from nested_ray.analyzers.architecture.placement.samples import (
    FunctionSample,
    Sample,
    Samples,
    read_samples,
)
from nested_ray.analyzers.architecture.placement.words import WordSpace
from nested_ray.analyzers.architecture.units import Layout, read_layout
from nested_ray.repository.base import Repository

MIN_UNITS = 4
"""Units a package or subsystem needs to be learned."""
MIN_PLACES = 2
MAX_UNITS = 3_000
"""Units learned from; the cost grows with their cube. More are thinned evenly within each place."""
MAX_PLACES = 300
MAX_FUNCTIONS = 30_000
"""Functions the weights of evidence are fitted on."""
_MIN_FUNCTION_WORDS = 8
_MIN_FUNCTION_LINKS = 2


@dataclass(frozen=True)
class Trained:
    """A model with held-out probabilities for the repository it was trained on."""

    model: PlacementModel
    samples: Samples
    unit_rows: Mapping[str, int]
    """Unit → row of `units_NC`; units of small places have none."""
    units_NC: np.ndarray
    functions: Sequence[FunctionSample]
    """With enough words and links to be judged, in the order of `functions_NC`."""
    functions_NC: np.ndarray


def train_placement(repository: Repository) -> PlacementModel | None:
    """Learn the layout of a repository; None when it has fewer than two packages to learn."""
    trained = train(repository)
    return None if trained is None else trained.model


def train(repository: Repository, layout: Layout | None = None) -> Trained | None:
    """As `train_placement`, with what the model says of everything it learned from."""
    if layout is None:
        layout = read_layout(repository.files, subsystem_of(repository))
    places = learnable_places(layout)
    if len(places) < MIN_PLACES:
        return None
    return fit(read_samples(repository, layout), place_indices(layout, places), places)


def learnable_places(layout: Layout) -> list[str]:
    """Packages of enough units, sorted; the largest ones where there are too many."""
    sizes = Counter(layout.package_of.values())
    large = [(size, place) for place, size in sizes.items() if size >= MIN_UNITS]
    largest = sorted(large, key=lambda each: (-each[0], each[1]))[:MAX_PLACES]
    return sorted(place for _, place in largest)


def place_indices(layout: Layout, places: Sequence[str]) -> dict[str, int]:
    """Unit → index of its place, -1 for other places; in order of name."""
    index = {place: position for position, place in enumerate(places)}
    return {unit: index.get(layout.package_of[unit], -1) for unit in sorted(layout.package_of)}


def fit(samples: Samples, place_of: Mapping[str, int], places: Sequence[str]) -> Trained:
    """Units, then functions; each is judged by a model that has not seen its unit."""
    units = fit_units(samples, place_of, places)
    functions = [f for f in samples.functions if f.unit in units.rows and is_telling(f)]
    places_N = np.array([place_of[f.unit] for f in functions], dtype=np.int64)
    scores_NC = function_scores(units, functions)
    evidence_NCF = _evidence(units.model, scores_NC, functions)
    weights, functions_NC = _weigh(evidence_NCF, places_N)
    model = replace(units.model, function_weights_F=weights)
    return Trained(model, samples, units.rows, units.held_out_NC, functions, functions_NC)


@dataclass(frozen=True)
class FittedUnits:
    """A model that knows units only."""

    model: PlacementModel
    ridge: Ridge
    rows: Mapping[str, int]
    """Unit → row of `held_out_NC`."""
    held_out_NC: np.ndarray


def fit_units(samples: Samples, place_of: Mapping[str, int], places: Sequence[str]) -> FittedUnits:
    """Words by ridge regression, then links on top."""
    learned = thin([unit for unit, place in place_of.items() if place >= 0], place_of)
    space = WordSpace.fit([samples.units[unit].words for unit in learned])
    vectors = space.vectors(samples.units[unit].words for unit in learned)
    places_N = np.array([place_of[unit] for unit in learned])
    ridge = fit_ridge(vectors, places_N, len(places))
    model = _unweighted(space, ridge, samples, place_of, places)
    evidence_NCF = _evidence(model, ridge.held_out_NC, [samples.units[unit] for unit in learned])
    weights, held_out_NC = _weigh(evidence_NCF, places_N)
    rows = {unit: row for row, unit in enumerate(learned)}
    return FittedUnits(replace(model, unit_weights_F=weights), ridge, rows, held_out_NC)


def thin(units: Sequence[str], place_of: Mapping[str, int]) -> list[str]:
    """At most MAX_UNITS units: every k-th one in the order of place and name."""
    if len(units) <= MAX_UNITS:
        return list(units)
    ordered = sorted(units, key=lambda unit: (place_of[unit], unit))
    picked = np.linspace(0, len(ordered) - 1, MAX_UNITS).round().astype(int)
    return sorted(ordered[position] for position in picked)


def is_telling(function: FunctionSample) -> bool:
    """Whether words and links are enough to say where it belongs."""
    num_links = function.uses.total() + function.used_by.total()
    return len(function.words) >= _MIN_FUNCTION_WORDS and num_links >= _MIN_FUNCTION_LINKS


def function_scores(units: FittedUnits, functions: Sequence[FunctionSample]) -> np.ndarray:
    """(N, C): scores of functions by words, by the model that has not seen their unit."""
    vectors = units.model.words.vectors(function.words for function in functions)
    scores_NC = np.zeros((len(functions), len(units.model.places)))
    by_unit: dict[str, list[int]] = {}
    for row, function in enumerate(functions):
        by_unit.setdefault(function.unit, []).append(row)
    for unit, rows in by_unit.items():
        scores_NC[rows] = units.ridge.without(units.rows[unit], vectors[rows])
    return scores_NC


def _unweighted(
    space: WordSpace,
    ridge: Ridge,
    samples: Samples,
    place_of: Mapping[str, int],
    places: Sequence[str],
) -> PlacementModel:
    return PlacementModel(
        places=tuple(places),
        words=space,
        word_weights_VC=ridge.weights_VC,
        place_of=dict(place_of),
        fan_out_U=np.array([len(samples.units[unit].uses) for unit in place_of]),
        fan_in_U=np.array([len(samples.units[unit].used_by) for unit in place_of]),
        unit_weights_F=np.zeros(len(FEATURES)),
        function_weights_F=np.zeros(len(FEATURES)),
    )


def _evidence(
    model: PlacementModel, scores_NC: np.ndarray, samples: Sequence[Sample]
) -> np.ndarray:
    uses = [sample.uses for sample in samples]
    return model.evidence(scores_NC, uses, [sample.used_by for sample in samples])


def _weigh(evidence_NCF: np.ndarray, places_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (F,), and the probabilities (N, C) they give."""
    if not len(places_N):
        return np.zeros(len(FEATURES)), np.zeros(evidence_NCF.shape[:2])
    step = -(-len(places_N) // MAX_FUNCTIONS)
    weights_F = fit_weights(evidence_NCF[::step], places_N[::step])
    return weights_F, probabilities(evidence_NCF, weights_F)
