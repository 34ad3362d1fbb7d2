"""Choosing among the levels' answers: each level judges every candidate, weights decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nested_ray.inference.confidence import mean_confidence


@dataclass(frozen=True)
class Choice:
    """The winning candidate and how it won."""

    index: int
    scores: tuple[float, ...]
    """One per candidate, in [0, 1]."""
    contributions: dict[str, float]
    """What each judging level added to the winner's score."""


def choose_candidate(
    mean_logprobs: Mapping[str, Sequence[float]], weights: Mapping[str, float]
) -> Choice:
    """The candidate with the highest `sum over levels of weight * exp(mean log-probability)`.

    `mean_logprobs[level][i]` is what `Engine.score` of that level gave for candidate i. Weights are
    normalised over the levels that judged; ties go to the earlier candidate. Raises ValueError when
    nobody judged, the judges saw different candidates, or a judge has no positive weight.
    """
    shares = normalise_weights(weights, list(mean_logprobs))
    counts = {len(row) for row in mean_logprobs.values()}
    if len(counts) != 1 or counts == {0}:
        raise ValueError(
            f"every level must judge the same candidates, found counts {sorted(counts)}"
        )
    parts = {
        level: [shares[level] * mean_confidence(logprob) for logprob in row]
        for level, row in mean_logprobs.items()
    }
    scores = [sum(column) for column in zip(*parts.values(), strict=True)]
    index = max(range(len(scores)), key=lambda candidate: scores[candidate])
    contributions = {level: row[index] for level, row in parts.items()}
    return Choice(index=index, scores=tuple(scores), contributions=contributions)


def normalise_weights(weights: Mapping[str, float], levels: Sequence[str]) -> dict[str, float]:
    """Shares of the given levels, adding up to 1; raises ValueError for a level without a weight."""
    if not levels:
        raise ValueError("an ensemble needs at least one level")
    missing = [level for level in levels if weights.get(level, 0.0) <= 0]
    if missing:
        raise ValueError(f"no positive ensemble weight for {', '.join(missing)}")
    total = sum(weights[level] for level in levels)
    return {level: weights[level] / total for level in levels}
