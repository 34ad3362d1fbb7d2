"""Tokens → whether they are a module, and if not, where and what was expected.

Preprocessor conditions make one text into several modules. First every branch is read from the
same point and all ways through the text are followed together (they nearly always meet again at
`#КонецЕсли`); that accepts every combination of conditions. Only when this fails is the module read
once for each environment, where `#Если Сервер` and a later `#Если Сервер` agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from nested_ray.languages.bsl.directives import (
    ENVIRONMENTS,
    KNOWN_SYMBOLS,
    Directive,
    Line,
    parse_directive,
)
from nested_ray.languages.bsl.grammar import table
from nested_ray.languages.bsl.keywords import Kind
from nested_ray.languages.bsl.lexer import Tokens
from nested_ray.languages.bsl.machine import Config, Failure, accepts, advance, expected
from nested_ray.languages.bsl.rules import Names, scan_rules

_MAX_WAYS = 16


@dataclass(frozen=True)
class Condition:
    """One open `#Если`: the ways into it, the ways out of its branches so far, and its lines."""

    entries: tuple[Config, ...]
    exits: tuple[Config, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """A place between two tokens: everything earlier text decides about the text to come."""

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


@dataclass(frozen=True)
class Reading:
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


def read(tokens: Tokens) -> Reading:
    """Read a whole text in every way its preprocessor conditions allow."""
    names = Names()
    reading, _ = read_on(start_point(), tokens, names)
    return reading if reading.is_certain else _read_each_environment(tokens)


def read_on(point: Point, tokens: Tokens, names: Names) -> tuple[Reading, Point]:
    """Read the tokens from a point on, all ways together; `names` are the module's, and grow.

    Where tokens follow others, those must have ended with a method: no rule looks further back.
    """
    kinds = await_only_in_async(tokens.kinds)
    directives = {i: tokens.spellings[i] for i, kind in enumerate(kinds) if kind is Kind.DIRECTIVE}
    reading, after = _read_all_ways(point, kinds, directives)
    # Rules speak of text that the grammar accepts.
    accepted = kinds[: reading.failure.index] if reading.failure else kinds
    rules = scan_rules(tokens, accepted, names, point.branch, point.num_conditions)
    after = replace(after, branch=rules.branch, num_conditions=rules.num_conditions)
    if rules.broken is not None:
        return Reading(rules.broken, reading.at_end), after
    return replace(reading, at_end=reading.at_end or rules.lost), after


def await_only_in_async(kinds: list[Kind]) -> list[Kind]:
    """`Ждать` is a keyword inside asynchronous methods and a plain name elsewhere."""
    if Kind.AWAIT not in kinds:
        return kinds
    kinds, is_async = list(kinds), False
    for index, kind in enumerate(kinds):
        if kind in (Kind.PROCEDURE, Kind.FUNCTION):
            is_async = index > 0 and kinds[index - 1] is Kind.ASYNC
        elif kind in (Kind.END_PROCEDURE, Kind.END_FUNCTION):
            is_async = False
        elif kind is Kind.AWAIT and not is_async:
            kinds[index] = Kind.NAME
    return kinds


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
class _Walk:
    """The reading of one text so far."""

    ways: list[Config]
    conditions: list[_Open]
    num_regions: int
    is_single: bool

    @classmethod
    def start(cls, point: Point) -> _Walk:
        conditions = [
            _Open(list(one.entries), dict.fromkeys(one.exits), list(one.lines))
            for one in point.conditions
        ]
        return cls(list(point.ways), conditions, point.num_regions, point.is_single)

    def point(self) -> Point:
        conditions = tuple(
            Condition(tuple(one.entries), tuple(one.exits), tuple(one.lines))
            for one in self.conditions
        )
        return Point(tuple(self.ways), conditions, self.num_regions, is_single=self.is_single)


def _read_all_ways(
    point: Point, kinds: list[Kind], directives: dict[int, str]
) -> tuple[Reading, Point]:
    walk = _Walk.start(point)
    start = 0
    for index, spelling in [*directives.items(), (len(kinds), "")]:
        walk.ways, failure = _advance_all(walk.ways, kinds, start, index)
        if failure:
            is_hopeless = not walk.ways and _is_reached(walk.conditions)
            is_certain = is_hopeless and walk.is_single
            return Reading(failure, None, is_certain, is_hopeless), walk.point()
        start = index + 1
        failure = _follow(walk, index, spelling) if spelling else None
        if failure:
            return Reading(failure, None, is_certain=len(walk.ways) <= _MAX_WAYS), walk.point()
    can_end = all(accepts(way, Kind.END) for way in walk.ways)
    at_end = _why_not_end(walk, len(kinds))
    return Reading(None, at_end, is_certain=can_end or walk.is_single), walk.point()


def _follow(walk: _Walk, index: int, spelling: str) -> Failure | None:
    """Go on along a preprocessor line; a failure where it cannot stand."""
    line = parse_directive(spelling).line
    if line in (Line.MALFORMED, Line.UNFINISHED):
        return Failure(index, message="not a complete preprocessor line")
    if line in (Line.REGION, Line.END_REGION):
        walk.num_regions += 1 if line is Line.REGION else -1
        if walk.num_regions < 0:
            return Failure(index, message="`#КонецОбласти` without `#Область`")
    elif line is Line.IF:
        walk.conditions.append(_Open(walk.ways, {}, [spelling]))
    elif line in (Line.ELSIF, Line.ELSE, Line.END_IF):
        return _follow_branch(walk, index, line, spelling)
    return None


def _follow_branch(walk: _Walk, index: int, line: Line, spelling: str) -> Failure | None:
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


def _why_not_end(walk: _Walk, num_tokens: int) -> Failure | None:
    endless = next((way for way in walk.ways if not accepts(way, Kind.END)), None)
    if endless:
        return Failure(num_tokens, expected(endless))
    if walk.conditions or walk.num_regions > 0:
        closer = _CLOSER_NAMES[Line.IF if walk.conditions else Line.REGION]
        return Failure(num_tokens, message=f"expected {closer}")
    return None


def _advance_all(
    ways: list[Config], kinds: list[Kind], start: int, end: int
) -> tuple[list[Config], Failure | None]:
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


def _is_reached(conditions: list[_Open]) -> bool:
    """Whether some environment reads the innermost open branch."""
    if not conditions:
        return True
    lines = [[parse_directive(line) for line in condition.lines] for condition in conditions]
    every = (directive for branches in lines for directive in branches)
    return any(
        all(_is_last_on(branches, symbols) for branches in lines)
        for symbols in _environments(every)
    )


def _is_last_on(branches: list[Directive], symbols: frozenset[str]) -> bool:
    """Whether the last branch so far of an `#Если` is the one that is read."""
    *earlier, last = branches
    return _holds(last, symbols) and not any(_holds(one, symbols) for one in earlier)


def _holds(directive: Directive, symbols: frozenset[str]) -> bool:
    return directive.holds(symbols) if directive.holds else directive.line is Line.ELSE


def _environments(directives: Iterable[Directive]) -> list[frozenset[str]]:
    """Known environments, each with all symbols of the project's own undefined and defined."""
    own = frozenset().union(*(d.symbols for d in directives)) - KNOWN_SYMBOLS
    return [*ENVIRONMENTS, *(symbols | own for symbols in ENVIRONMENTS if own)]


def _read_each_environment(tokens: Tokens) -> Reading:
    """The first failure over the environments; clean when every environment's text is."""
    kinds = await_only_in_async(tokens.kinds)
    directives = {
        index: parse_directive(tokens.spellings[index])
        for index, kind in enumerate(kinds)
        if kind is Kind.DIRECTIVE
    }
    unbalanced, unclosed = _check_balance(tokens, directives)
    if unbalanced:
        kinds = kinds[: unbalanced.index]
        directives = {index: d for index, d in directives.items() if index < unbalanced.index}
    reading = _first_of_all(kinds, directives)
    failure = reading.failure or unbalanced
    accepted = kinds[: failure.index] if failure else kinds
    rules = scan_rules(tokens, accepted, Names(), (), 0)
    return Reading(rules.broken or failure, reading.at_end or unclosed or rules.lost)


def _check_balance(
    tokens: Tokens, directives: dict[int, Directive]
) -> tuple[Failure | None, Failure | None]:
    """The first line that cannot stand where it does, and what is still open at the end."""
    walk = _Walk([], [], 0, is_single=True)
    for index in directives:
        failure = _follow(walk, index, tokens.spellings[index])
        if failure:
            return failure, None
    return None, _why_not_end(walk, len(tokens.kinds))


def _first_of_all(kinds: list[Kind], directives: dict[int, Directive]) -> Reading:
    seen: set[tuple[int, ...]] = set()
    readings: list[Reading] = []
    for symbols in _environments(directives.values()):
        active = _active_tokens(kinds, directives, symbols)
        if tuple(active) in seen:
            continue
        seen.add(tuple(active))
        readings.append(_read_indices(kinds, active))
    failures = [reading.failure for reading in readings if reading.failure]
    ends = [reading.at_end for reading in readings if reading.at_end]
    first = min(failures, key=lambda failure: failure.index) if failures else None
    return Reading(first, ends[0] if ends else None)


@dataclass
class _Switch:
    """One open `#Если` as an environment sees it."""

    is_on: bool
    was_on: bool = field(default=False)


def _active_tokens(
    kinds: list[Kind], directives: dict[int, Directive], symbols: frozenset[str]
) -> list[int]:
    active: list[int] = []
    switches: list[_Switch] = []
    num_off = start = 0
    for index, directive in [*directives.items(), (len(kinds), Directive(Line.OTHER))]:
        if num_off == 0:
            active.extend(range(start, index))
        start = index + 1
        if directive.line is Line.IF:
            switches.append(_Switch(_holds(directive, symbols)))
            num_off += not switches[-1].is_on
        elif directive.line in (Line.ELSIF, Line.ELSE) and switches:
            switch = switches[-1]
            num_off -= not switch.is_on
            switch.was_on |= switch.is_on
            switch.is_on = _holds(directive, symbols) and not switch.was_on
            num_off += not switch.is_on
        elif directive.line is Line.END_IF and switches:
            num_off -= not switches.pop().is_on
    return active


def _read_indices(kinds: list[Kind], active: list[int]) -> Reading:
    selected = [kinds[index] for index in active]
    ways, failure = _advance_all([Config(table().start)], selected, 0, len(selected))
    if failure:
        return Reading(replace(failure, index=active[failure.index]), None)
    if accepts(ways[0], Kind.END):
        return Reading(None, None)
    return Reading(None, Failure(len(kinds), expected(ways[0])))
