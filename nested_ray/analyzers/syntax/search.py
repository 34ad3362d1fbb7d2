"""Best-first search over edits of a broken text, each candidate parsed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count
from time import thread_time

from nested_ray.analyzers.syntax.blocks import block_ends
from nested_ray.analyzers.syntax.changes import changes
from nested_ray.analyzers.syntax.directives import region_ends
from nested_ray.analyzers.syntax.layout import closing_quotes, reindentations
from nested_ray.analyzers.syntax.site import Change, Site
from nested_ray.analyzers.syntax.slips import slips
from nested_ray.languages.base import Language, SyntaxIssue

_MAX_EDITS = 3
_MAX_CHECKS, _MAX_CHECKED_CHARS, _MAX_SECONDS = 1_500, 6_000_000, 1.5
_MAX_EXPANSIONS = 12
_MAX_FOUND = 6
_MARGIN_NATS = 6.0
"""A repair this much worse than the best is not looked for."""
_NEXT_EDIT_NATS = 4.0
_MIN_PROGRESS_CHARS = 8


@dataclass(frozen=True)
class Repaired:
    """A text on the way to one that parses."""

    text: str
    nats: float
    descriptions: tuple[str, ...]


def search(site: Site) -> Iterator[Repaired]:
    """Texts that parse, the likeliest first."""
    order = count()
    waiting: list[tuple[float, int, Repaired, Change | Site]] = []
    seen = {site.text}
    budget = _Budget()
    start = Repaired(site.text, 0.0, ())
    heappush(waiting, (0.0, next(order), start, site))
    limit, num_found = float("inf"), 0
    while waiting and budget.lasts():
        nats, _, state, step = heappop(waiting)
        if nats > limit or num_found >= _MAX_FOUND:
            return
        if isinstance(step, Site):
            budget.num_expansions += 1
            for change in _all_changes(step):
                heappush(waiting, (state.nats + change.nats, next(order), state, change))
            continue
        text = step.apply(state.text)
        if text in seen:
            continue
        seen.add(text)
        after = Repaired(text, nats, (*state.descriptions, step.description))
        issue = budget.check(site.language, text)
        if issue is None:
            limit, num_found = min(limit, nats + _MARGIN_NATS), num_found + 1
            yield after
        elif len(after.descriptions) < _MAX_EDITS and _moves_on(site, text, issue):
            further = Site(site.language, text, issue, site.habits)
            after = replace(after, nats=nats + _NEXT_EDIT_NATS)
            heappush(waiting, (after.nats, next(order), after, further))


def _all_changes(site: Site) -> Iterator[Change]:
    yield from block_ends(site)
    yield from reindentations(site)
    yield from closing_quotes(site)
    yield from slips(site)
    yield from region_ends(site)
    yield from changes(site)


def _moves_on(site: Site, text: str, issue: SyntaxIssue) -> bool:
    """Whether less of the text is left behind the error than before."""
    left = len(text) - issue.span.start
    return left + _MIN_PROGRESS_CHARS <= len(site.text) - site.issue.span.start


class _Budget:
    """What one search may cost."""

    def __init__(self) -> None:
        self.num_expansions = 0
        self._num_checks = self._num_chars = 0
        self._deadline = thread_time() + _MAX_SECONDS

    def lasts(self) -> bool:
        return (
            self.num_expansions < _MAX_EXPANSIONS
            and self._num_checks < _MAX_CHECKS
            and self._num_chars < _MAX_CHECKED_CHARS
            and thread_time() < self._deadline
        )

    def check(self, language: Language, text: str) -> SyntaxIssue | None:
        self._num_checks += 1
        self._num_chars += len(text)
        return language.check(text)
