"""From judged choices to an Answer: which one wins, and how that is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nested_ray.routing.base import Answer, Choice, Shortcoming
from nested_ray.routing.calls import LevelCalls
from nested_ray.routing.policy import Route
from nested_ray.routing.verify import rank


def conclude(
    route: Route,
    calls: LevelCalls,
    choices: tuple[Choice, ...],
    escalated: Mapping[str, Shortcoming] | None = None,
) -> Answer:
    """The choices as an Answer that tells how they came about."""
    return Answer(
        choices=choices,
        action=route.action,
        level=choices[0].level,
        level_contributions=as_shares({choices[0].level: 1.0}, calls.arm.level_names),
        confidence=choices[0].confidence,
        usage=calls.usage,
        latency=calls.latency(),
        versions=dict.fromkeys(calls.answered, calls.arm.label),
        arm=calls.arm.name,
        escalated=dict(escalated or {}),
        skipped=dict(calls.skipped),
        shed=calls.shed(),
        cache_missed=calls.cache_missed,
    )


def last_word(tried: Sequence[tuple[Choice, ...]]) -> tuple[Choice, ...]:
    """The highest level's answer, or where it does not fit the best of all."""
    if not tried[-1][0].is_broken:
        return tried[-1]
    return max(tried, key=lambda choices: rank(choices[0]))


def one_of_each_text(choices: Sequence[Choice]) -> list[Choice]:
    """The first choice of every text; judging the same text twice costs and tells nothing."""
    seen: dict[str, Choice] = {}
    for choice in choices:
        seen.setdefault(choice.completion.text, choice)
    return list(seen.values())


def drop_broken(choices: list[Choice]) -> list[Choice]:
    """Those that fit as they came; else those of which something is left; all of them when nothing is."""
    sound = [choice for choice in choices if not choice.is_broken]
    return sound or [choice for choice in choices if choice.filtered != "refused"] or choices


def weights_among(levels: Sequence[str], weights: Mapping[str, float]) -> dict[str, float]:
    """Weights of those levels that have one; equal ones when only levels without a weight are there."""
    return {level: weights[level] for level in levels if level in weights} or dict.fromkeys(
        levels, 1.0
    )


def as_shares(contributions: Mapping[str, float], levels: Sequence[str]) -> dict[str, float]:
    """Contributions of all levels, adding up to 1; equal ones when nobody was sure of anything."""
    total = sum(contributions.values())
    if total <= 0:
        equal = 1.0 / len(contributions)
        return {level: equal if level in contributions else 0.0 for level in levels}
    return {level: contributions.get(level, 0.0) / total for level in levels}
