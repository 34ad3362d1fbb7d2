"""Units and functions that stand in one package and have the words and links of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nested_ray.analyzers.architecture.placement.calibration import misplaced
from nested_ray.analyzers.architecture.placement.evidence import probabilities
from nested_ray.analyzers.architecture.placement.model import PlacementModel
from nested_ray.analyzers.architecture.placement.samples import (
    FunctionSample,
    Sample,
    Samples,
    read_samples,
)
from nested_ray.analyzers.architecture.placement.training import Trained, is_telling, train
from nested_ray.analyzers.architecture.rules import MISPLACED
from nested_ray.analyzers.architecture.structure import Structure
from nested_ray.analyzers.findings import Finding, Severity
from nested_ray.config.architecture import PlacementConfig
from nested_ray.languages.base import Span

_MIN_LINKS = 2
"""Links to and from the other place; words alone are not enough."""
_SHOWN_WORDS = 6
_MIN_SHARED = 3
UNIT_PRIOR, FUNCTION_PRIOR = 0.02, 0.01
"""Shares taken to be misplaced: a module in fifty, a function in a hundred."""


@dataclass(frozen=True)
class Judged:
    """Probabilities of places for the items of a repository, by a model that has not seen each item."""

    model: PlacementModel
    samples: Samples
    units: Sequence[Sample]
    units_NC: np.ndarray
    functions: Sequence[FunctionSample]
    functions_NC: np.ndarray


@dataclass(frozen=True)
class Misplaced:
    """One item that seems to belong elsewhere."""

    sample: Sample
    place: str
    """Where it stands."""
    better: str
    """Where it seems to belong."""
    confidence: float
    probability: float
    """Of the better place, by words and links."""


def judge(structure: Structure, model: PlacementModel | None = None) -> Judged | None:
    """Judge by a model learned before, or by one learned now; None where there is nothing to learn."""
    if model is not None:
        return _judge_by(structure, model)
    trained = train(structure.repository, structure.layout)
    return None if trained is None else from_training(trained)


def from_training(trained: Trained) -> Judged:
    units = [trained.samples.units[unit] for unit in trained.unit_rows]
    rows = list(trained.unit_rows.values())
    return Judged(
        trained.model,
        trained.samples,
        units,
        trained.units_NC[rows],
        trained.functions,
        trained.functions_NC,
    )


def _judge_by(structure: Structure, model: PlacementModel) -> Judged:
    samples = read_samples(structure.repository, structure.layout)
    known = set(model.places)
    package_of = structure.layout.package_of
    units = [sample for unit, sample in samples.units.items() if package_of[unit] in known]
    functions = [f for f in samples.functions if package_of[f.unit] in known and is_telling(f)]
    return Judged(
        model,
        samples,
        units,
        _probabilities(model, units, model.unit_weights_F),
        functions,
        _probabilities(model, functions, model.function_weights_F),
    )


def _probabilities(
    model: PlacementModel, samples: Sequence[Sample], weights_F: np.ndarray
) -> np.ndarray:
    scores_NC = model.words.vectors([s.words for s in samples]) @ model.word_weights_VC
    uses = [sample.uses for sample in samples]
    evidence_NCF = model.evidence(scores_NC, uses, [sample.used_by for sample in samples])
    return probabilities(evidence_NCF, weights_F)


def find_misplaced(
    judged: Judged, package_of: Mapping[str, str], min_confidence: float
) -> list[Misplaced]:
    """Units, then functions of units that are not misplaced themselves."""
    places = judged.model.places
    units = _select(judged.units, judged.units_NC, places, UNIT_PRIOR, package_of)
    functions = _select(judged.functions, judged.functions_NC, places, FUNCTION_PRIOR, package_of)
    found = [each for each in units if each.confidence >= min_confidence]
    moved = {each.sample.unit for each in found}
    shared = shared_names(judged.samples.functions)
    for each in functions:
        is_own = isinstance(each.sample, FunctionSample) and each.sample.name not in shared
        if is_own and each.confidence >= min_confidence and each.sample.unit not in moved:
            found.append(each)
    return found


def shared_names(functions: Sequence[FunctionSample]) -> frozenset[str]:
    """Names that three units and more define: they answer a caller's convention and stand where it wants
    them."""
    units: dict[str, set[str]] = {}
    for function in functions:
        units.setdefault(function.name, set()).add(function.unit)
    return frozenset(name for name, owners in units.items() if len(owners) >= _MIN_SHARED)


def _select(
    samples: Sequence[Sample],
    probabilities_NC: np.ndarray,
    places: Sequence[str],
    prior: float,
    package_of: Mapping[str, str],
) -> list[Misplaced]:
    """Items that rather belong elsewhere and are linked to there more than to where they stand."""
    if not samples:
        return []
    index = {place: position for position, place in enumerate(places)}
    own_N = np.array([index[package_of[sample.unit]] for sample in samples])
    confidence_N = misplaced(probabilities_NC, own_N, prior)
    found: list[Misplaced] = []
    for row in np.flatnonzero(confidence_N > 0.5).tolist():
        sample, place = samples[row], places[int(own_N[row])]
        better = places[int(probabilities_NC[row].argmax())]
        num_links = linked(sample, better, package_of)
        if num_links >= _MIN_LINKS and num_links > linked(sample, place, package_of):
            likelihood = float(probabilities_NC[row].max())
            found.append(Misplaced(sample, place, better, float(confidence_N[row]), likelihood))
    return found


def linked(sample: Sample, place: str, package_of: Mapping[str, str]) -> int:
    """Number of links between an item and a place."""
    return sum(
        count
        for links in (sample.uses, sample.used_by)
        for unit, count in links.items()
        if package_of.get(unit) == place
    )


def misplaced_findings(
    structure: Structure, config: PlacementConfig, judged: Judged
) -> Iterator[Finding]:
    """What is surely enough misplaced, where it stands."""
    package_of = structure.layout.package_of
    for each in find_misplaced(judged, package_of, config.min_confidence):
        path, span, symbol = _where(structure, each.sample)
        name = symbol or structure.shown(each.sample.unit)
        yield Finding(
            rule=MISPLACED.id,
            path=path,
            span=span,
            message=f"{name} stands in {each.place}, but its words and links are those of "
            f"{each.better} ({each.probability:.0%}).",
            severity=Severity.NOTE if symbol else MISPLACED.severity,
            confidence=min(each.confidence, 0.99),
            witness=_witness(judged.model, each, package_of),
            symbol=symbol,
        )


def _where(structure: Structure, sample: Sample) -> tuple[str, Span, str]:
    if isinstance(sample, FunctionSample):
        definition = structure.definitions(sample.path)[sample.definition]
        span = structure.line_span(sample.path, definition.span.start)
        return sample.path, span, structure.symbol(sample.path, sample.definition)
    path = structure.layout.files_of[sample.unit][0]
    return path, structure.line_span(path, 0), ""


def _witness(model: PlacementModel, each: Misplaced, package_of: Mapping[str, str]) -> str:
    links = f"links with {each.better}: {linked(each.sample, each.better, package_of)}, " + (
        f"with {each.place}: {linked(each.sample, each.place, package_of)}"
    )
    words = telling_words(model, each.sample.words, each.better, each.place)
    return f"{links}; words: {', '.join(words)}" if words else links


def telling_words(
    model: PlacementModel, counts: Mapping[str, int], better: str, place: str
) -> list[str]:
    """The words that speak most for the one place against the other."""
    vector = model.words.vectors([Counter(counts)])
    index = {name: position for position, name in enumerate(model.places)}
    difference_V = model.word_weights_VC[:, index[better]] - model.word_weights_VC[:, index[place]]
    gains = vector.data * difference_V[vector.indices]
    order = np.argsort(-gains, kind="stable")[:_SHOWN_WORDS]
    return [model.words.words[vector.indices[i]] for i in order if gains[i] > 0]


def rank_places(structure: Structure, judged: Judged, path: str) -> list[tuple[str, float]]:
    """Places for one file of the repository with their probabilities, the likeliest first.

    A unit that was learned from is judged by the model that has not seen it.
    """
    unit = structure.layout.unit_of[path]
    for row, sample in enumerate(judged.units):
        if sample.unit == unit:
            likelihoods = judged.units_NC[row]
            order = np.argsort(-likelihoods, kind="stable").tolist()
            return [(judged.model.places[index], float(likelihoods[index])) for index in order]
    sample = judged.samples.units[unit]
    return judged.model.rank(sample.words, sample.uses, sample.used_by)
