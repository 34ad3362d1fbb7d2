"""Which findings a change is the cause of: those that the base did not have."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from nested_ray.languages.base import Span
from nested_ray.review.change import Change
from nested_ray.review.fingerprints import Found, Key
from nested_ray.review.lines import Lines


def new_findings(
    now: Sequence[Found], before: Iterable[Found], change: Change, sources: Mapping[str, Lines]
) -> list[Found]:
    """The findings that the base had fewer of; paths of `before` are those of the new version.

    Of equal findings in one definition those on changed lines are the new ones. A finding on
    unchanged lines is also known when the definition around it was renamed or moved.
    """
    known = Counter(each.key for each in before)
    before_loose = Counter(each.loose_key for each in before)
    groups: defaultdict[Key, list[Found]] = defaultdict(list)
    for each in now:
        groups[each.key].append(each)
    fresh: list[Found] = []
    for key, group in groups.items():
        group.sort(key=lambda each: _is_on_new_lines(each, change, sources))
        num_known = min(known[key], len(group))
        for each in group[:num_known]:
            before_loose[each.loose_key] -= 1
        fresh += group[num_known:]
    return [each for each in fresh if not _was_elsewhere(each, before_loose, change, sources)]


def _was_elsewhere(
    each: Found, left: Counter[tuple[str, str, str]], change: Change, sources: Mapping[str, Lines]
) -> bool:
    if _is_on_new_lines(each, change, sources) or left[each.loose_key] <= 0:
        return False
    left[each.loose_key] -= 1
    return True


def touches_change(each: Found, change: Change, sources: Mapping[str, Lines]) -> bool:
    """Whether the finding, or a place it refers to, lies on new lines."""
    finding = each.finding
    return touches(finding.path, finding.span, change, sources) or any(
        touches(place.path, place.span, change, sources) for place in finding.related
    )


def touches(path: str, span: Span, change: Change, sources: Mapping[str, Lines]) -> bool:
    """Whether one of a span's lines is new."""
    changed = change.lines.get(path)
    if not changed:
        return False
    numbers = sources[path].numbers(span)
    if len(numbers) <= len(changed):
        return any(number in changed for number in numbers)
    return any(number in numbers for number in changed)


def _is_on_new_lines(each: Found, change: Change, sources: Mapping[str, Lines]) -> bool:
    return touches(each.finding.path, each.finding.span, change, sources)
