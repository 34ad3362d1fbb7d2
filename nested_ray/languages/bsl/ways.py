"""Every way through a text at once, from one point to the next.

The branches of an `#Если` are read from the same point, and what they come out at is followed together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from nested_ray.languages.bsl.directives import Line, parse_directive
from nested_ray.languages.bsl.environments import is_reached
from nested_ray.languages.bsl.grammar import table
from nested_ray.languages.bsl.keywords import Kind
from nested_ray.languages.bsl.machine import Config, Failure, accepts, advance, expected

_MAX_WAYS = 16
_END = Kind.END
_MALFORMED, _UNFINISHED = Line.MALFORMED, Line.UNFINISHED
_REGION, _END_REGION = Line.REGION, Line.END_REGION


class Condition(NamedTuple):
    """One open `#Если`: the ways into it, the ways out of its branches so far, and its lines."""

    entries: tuple[Config, ...]
    exits: tuple[Config, ...]
    lines: tuple[str, ...]


class Point(NamedTuple):
    """A place between two tokens: everything earlier text decides about the text to come.

    A tuple, because it is a key that is asked for again and again.
    """

    ways: tuple[Config, ...]
    conditions: tuple[Condition, ...] = ()
    num_regions: int = 0
    branch: tuple[int, ...] = ()
    """Which branch of which `#Если` this is, as rules.py compares them."""
    num_conditions: int = 0
    is_single: bool = True
    """Whether every way through the text so far comes out the same."""


def start_point() -> Point:
    """The beginning of a module."""
    return Point((Config(table().start),))


class Reading(NamedTuple):
    """What reading a text came to."""

    failure: Failure | None
    """The first error inside the text."""
    at_end: Failure | None
    """Why the text may not end there; None when it may."""
    is_certain: bool = True
    """False when reading for each environment may come to something else."""
    is_hopeless: bool = False
    """Whether the text is no module in any case, though the place of its first error may be another."""

    @property
    def is_clean(self) -> bool:
        return self.failure is None and self.at_end is None


_CLOSER_NAMES = {Line.IF: "`#КонецЕсли`/`#EndIf`", Line.REGION: "`#КонецОбласти`/`#EndRegion`"}


@dataclass
class _Open:
    """A condition that is being read."""

    entries: list[Config]
    exits: dict[Config, None]
    lines: list[str]

    @property
    def has_else(self) -> bool:
        return parse_directive(self.lines[-1]).line is Line.ELSE


@dataclass
class Walk:
    """The reading of one text so far."""

    ways: list[Config]
    conditions: list[_Open]
    num_regions: int
    is_single: bool

    @classmethod
    def start(cls, point: Point) -> Walk:
        conditions = [
            _Open(list(one.entries), dict.fromkeys(one.exits), list(one.lines))
            for one in point.conditions
        ]
        return cls(list(point.ways), conditions, point.num_regions, point.is_single)

    def point(self, branch: tuple[int, ...], num_conditions: int) -> Point:
        """Where it has come to; the rules know in which branch that is."""
        conditions = tuple(
            Condition(tuple(one.entries), tuple(one.exits), tuple(one.lines))
            for one in self.conditions
        )
        return Point(
            tuple(self.ways), conditions, self.num_regions, branch, num_conditions, self.is_single
        )


def read_all_ways(walk: Walk, kinds: list[Kind], directives: dict[int, str]) -> Reading:
    """Read tokens, going on with a walk; `directives` are the preprocessor lines among them, by index."""
    start = 0
    for index, spelling in [*directives.items(), (len(kinds), "")]:
        walk.ways, failure = advance_all(walk.ways, kinds, start, index)
        if failure:
            is_hopeless = not walk.ways and is_reached(one.lines for one in walk.conditions)
            is_certain = is_hopeless and walk.is_single
            return Reading(failure, None, is_certain, is_hopeless)
        start = index + 1
        failure = follow(walk, index, spelling) if spelling else None
        if failure:
            return Reading(failure, None, is_certain=len(walk.ways) <= _MAX_WAYS)
    can_end = all(accepts(way, _END) for way in walk.ways)
    at_end = why_not_end(walk, len(kinds))
    return Reading(None, at_end, is_certain=can_end or walk.is_single)


def follow(walk: Walk, index: int, spelling: str) -> Failure | None:
    """Go on along a preprocessor line; a failure where it cannot stand."""
    line = parse_directive(spelling).line
    if line in (_MALFORMED, _UNFINISHED):
        return Failure(index, message="not a complete preprocessor line")
    if line in (_REGION, _END_REGION):
        walk.num_regions += 1 if line is _REGION else -1
        if walk.num_regions < 0:
            return Failure(index, message="`#КонецОбласти` without `#Область`")
    elif line is Line.IF:
        walk.conditions.append(_Open(walk.ways, {}, [spelling]))
    elif line in (Line.ELSIF, Line.ELSE, Line.END_IF):
        return _follow_branch(walk, index, line, spelling)
    return None


def _follow_branch(walk: Walk, index: int, line: Line, spelling: str) -> Failure | None:
    has_open = bool(walk.conditions)
    if not has_open or (line is not Line.END_IF and walk.conditions[-1].has_else):
        return Failure(index, message="no `#Если` is open for this line")
    condition = walk.conditions[-1]
    condition.exits.update(dict.fromkeys(walk.ways))
    if line is not Line.END_IF:
        condition.lines.append(spelling)
        walk.ways = condition.entries
        return None
    skipped = [] if condition.has_else else condition.entries
    walk.ways = list(dict.fromkeys((*condition.exits, *skipped)))
    walk.is_single &= len(walk.ways) == 1
    walk.conditions.pop()
    too_many = len(walk.ways) > _MAX_WAYS
    return Failure(index, message="too many ways through") if too_many else None


def why_not_end(walk: Walk, num_tokens: int) -> Failure | None:
    """What is missing if the text ends here."""
    endless = next((way for way in walk.ways if not accepts(way, _END)), None)
    if endless:
        return Failure(num_tokens, expected(endless))
    if walk.conditions or walk.num_regions > 0:
        closer = _CLOSER_NAMES[Line.IF if walk.conditions else Line.REGION]
        return Failure(num_tokens, message=f"expected {closer}")
    return None


def advance_all(
    ways: list[Config], kinds: list[Kind], start: int, end: int
) -> tuple[list[Config], Failure | None]:
    """Where the ways come out, and the first failure of one of them."""
    segment = kinds[start:end] if start or end < len(kinds) else kinds
    reached: list[Config] = []
    failure: Failure | None = None
    for way in ways:
        following, position = advance(way, segment)
        if following is not None:
            reached.append(following)
        elif failure is None or start + position < failure.index:
            before, _ = advance(way, segment[:position])
            failure = Failure(start + position, expected(before) if before else frozenset())
    return list(dict.fromkeys(reached)), failure
