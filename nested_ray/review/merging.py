"""Findings of several levels on the same place → one remark, weighed; the weightiest within the budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from nested_ray.analyzers.findings import Finding
from nested_ray.config.review import ReviewConfig
from nested_ray.languages.base import Span
from nested_ray.review.fingerprints import Found
from nested_ray.review.report import Remark

MIN_OVERLAP = 0.5
"""Two spans are the same place when they share half of what they cover together."""
MAX_OPEN_PLACES = 16
"""How many places that begin earlier are compared with: bounds the work where spans lie in each other."""


def merge(
    found: Iterable[Found], config: ReviewConfig, learned: Collection[str] = ()
) -> list[Remark]:
    """One remark per place, in order of path and place; `learned` are rules that only suspect.

    Findings of one level stay apart unless one is proven and the other suspected.
    """
    places: list[list[Found]] = []
    for each in found:
        for place in reversed(places[-MAX_OPEN_PLACES:]):
            if all(_say_the_same(each.finding, other.finding, learned) for other in place):
                place.append(each)
                break
        else:
            places.append([each])
    return [_remark(place, config, learned) for place in places]


def _say_the_same(one: Finding, other: Finding, learned: Collection[str]) -> bool:
    # What is said of a module or an import as a whole stands on a line that others speak of in detail.
    is_wide = "architecture" in (one.level, other.level)
    shared = overlap(one.span, other.span) if one.path == other.path else 0.0
    if shared < (1.0 if is_wide else MIN_OVERLAP):
        return False
    return one.level != other.level or (one.rule in learned) != (other.rule in learned)


def overlap(one: Span, other: Span) -> float:
    """Shared length over covered length; 1 for equal spans, empty ones too."""
    if one == other:
        return 1.0
    shared = min(one.end, other.end) - max(one.start, other.start)
    covered = max(one.end, other.end) - min(one.start, other.start)
    return max(shared, 0) / covered if covered > 0 else 0.0


def _remark(place: Sequence[Found], config: ReviewConfig, learned: Collection[str]) -> Remark:
    """The proven, most severe finding speaks; the choice does not depend on what a model thinks."""
    ordered = sorted(
        place,
        key=lambda each: (
            each.finding.rule in learned,
            -each.finding.severity,
            -each.finding.confidence,
            each.finding.rule,
        ),
    )
    first, *others = ordered
    levels = tuple(dict.fromkeys(each.finding.level for each in ordered))
    weight = sum(config.weight_of(level) for level in levels)
    return Remark(
        finding=first.finding,
        fingerprint=first.fingerprint,
        levels=levels,
        weight=first.finding.severity * first.finding.confidence * weight,
        also=tuple(each.finding for each in others),
        also_fingerprints=tuple(each.fingerprint for each in others),
    )


def spend_budget(
    remarks: Iterable[Remark], config: ReviewConfig
) -> tuple[list[Remark], list[Remark]]:
    """What is posted, in order of path and place, and what is held back, the weightiest first."""
    posted: list[Remark] = []
    held_back: list[Remark] = []
    per_file: Counter[str] = Counter()
    for remark in sorted(remarks, key=lambda each: (-each.weight, place_of(each))):
        path = remark.finding.path
        if len(posted) < config.max_findings and per_file[path] < config.max_findings_per_file:
            per_file[path] += 1
            posted.append(remark)
        else:
            held_back.append(remark)
    return sorted(posted, key=place_of), held_back


def place_of(remark: Remark) -> tuple[str, int, int, str]:
    """Where a remark stands, as a sort key."""
    finding = remark.finding
    return finding.path, finding.span.start, finding.span.end, finding.rule
