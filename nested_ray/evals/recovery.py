"""Recovery: where a module belongs, judged with its place hidden, beside words alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from nested_ray.analyzers.architecture.placement.evidence import probabilities
from nested_ray.analyzers.architecture.placement.samples import Samples
from nested_ray.analyzers.architecture.placement.training import FittedUnits, fit_units
from nested_ray.analyzers.architecture.placement.words import WordSpace

NUM_FOLDS = 5
SURE = 0.9
_ROUNDS = 2
"""Units hidden together are neighbours of each other: the second round uses what the first one said."""


@dataclass(frozen=True)
class Recovery:
    """How often the own place is named first."""

    num_units: int
    num_places: int
    largest_place: float
    """Accuracy of always naming the largest place."""
    words_accuracy: float
    """LinearSVC on the same words."""
    words_macro_f1: float
    accuracy: float
    macro_f1: float
    sure_share: float
    """Share of units whose place has a probability of 0.9 and more."""
    sure_accuracy: float


def measure_recovery(samples: Samples, place_of: Mapping[str, str]) -> Recovery | None:
    """Five folds over the units of places with five units and more; None where there are no two.

    The place of a hidden unit is unknown to the model in every role, also as a neighbour of others.
    """
    sizes: dict[str, int] = {}
    for place in place_of.values():
        sizes[place] = sizes.get(place, 0) + 1
    places = sorted(place for place, size in sizes.items() if size >= NUM_FOLDS)
    index = {place: position for position, place in enumerate(places)}
    units = sorted(unit for unit, place in place_of.items() if place in index)
    if len(places) < 2:
        return None
    true_N = np.array([index[place_of[unit]] for unit in units])
    floor_N = np.zeros(len(units), dtype=int)
    said_NC = np.zeros((len(units), len(places)))
    folds = StratifiedKFold(NUM_FOLDS, shuffle=True, random_state=0)
    for train_rows, test_rows in folds.split(np.zeros(len(units)), true_N):
        floor_N[test_rows] = _by_words(samples, units, true_N, train_rows, test_rows)
        hidden = [units[row] for row in test_rows.tolist()]
        gone = frozenset(hidden)
        known = {
            unit: -1 if unit in gone else index.get(place_of[unit], -1) for unit in sorted(place_of)
        }
        fitted = fit_units(samples, known, places)
        said_NC[test_rows] = judge_hidden(fitted, samples, hidden)
    return _recovery(true_N, floor_N, said_NC)


def _by_words(
    samples: Samples,
    units: Sequence[str],
    true_N: np.ndarray,
    train_rows: np.ndarray,
    test_rows: np.ndarray,
) -> np.ndarray:
    known = [samples.units[units[row]].words for row in map(int, train_rows)]
    asked = [samples.units[units[row]].words for row in map(int, test_rows)]
    space = WordSpace.fit(known)
    classifier = LinearSVC().fit(space.vectors(known), true_N[train_rows])
    return np.asarray(classifier.predict(space.vectors(asked)))


def judge_hidden(fitted: FittedUnits, samples: Samples, units: Sequence[str]) -> np.ndarray:
    """(N, C): probabilities of units whose places the model does not know."""
    model = fitted.model
    asked = [samples.units[unit] for unit in units]
    scores_NC = model.words.vectors([each.words for each in asked]) @ model.word_weights_VC
    columns = {unit: position for position, unit in enumerate(model.place_of)}
    rows = [columns[unit] for unit in units]
    belief_UC = model.belief()
    said_NC = np.zeros_like(scores_NC)
    for _ in range(_ROUNDS):
        uses, used_by = [each.uses for each in asked], [each.used_by for each in asked]
        evidence_NCF = model.evidence(scores_NC, uses, used_by, belief_UC)
        said_NC = probabilities(evidence_NCF, model.unit_weights_F)
        belief_UC[rows] = said_NC
    return said_NC


def _recovery(true_N: np.ndarray, floor_N: np.ndarray, said_NC: np.ndarray) -> Recovery:
    first_N = said_NC.argmax(axis=1)
    is_sure_N = said_NC.max(axis=1) >= SURE
    return Recovery(
        num_units=len(true_N),
        num_places=said_NC.shape[1],
        largest_place=float(np.bincount(true_N).max() / len(true_N)),
        words_accuracy=float((floor_N == true_N).mean()),
        words_macro_f1=float(f1_score(true_N, floor_N, average="macro")),
        accuracy=float((first_N == true_N).mean()),
        macro_f1=float(f1_score(true_N, first_N, average="macro")),
        sure_share=float(is_sure_N.mean()),
        sure_accuracy=float((first_N == true_N)[is_sure_N].mean()) if is_sure_N.any() else 0.0,
    )
