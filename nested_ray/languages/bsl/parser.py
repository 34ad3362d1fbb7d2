"""Tokens → whether they are a module, and if not, where and what was expected.

Preprocessor conditions make one text into several modules. First every branch is read from the
same point and all ways through the text are followed together (they nearly always meet again at
`#КонецЕсли`); that accepts every combination of conditions. Only when this fails is the module read
once for each environment, where `#Если Сервер` and a later `#Если Сервер` agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
from nested_ray.languages.bsl.rules import broken_rule

_MAX_WAYS = 16


@dataclass(frozen=True)
class Reading:
    """What reading a text came to."""

    failure: Failure | None
    """The first error inside the text."""
    at_end: Failure | None
    """Why the text may not end there; None when it may."""


def read(tokens: Tokens) -> Reading:
    """Read a whole text in every way its preprocessor conditions allow."""
    kinds = await_only_in_async(tokens.kinds)
    directives = {
        index: parse_directive(tokens.spellings[index])
        for index, kind in enumerate(kinds)
        if kind is Kind.DIRECTIVE
    }
    unbalanced, unclosed = _check_balance(directives, len(kinds))
    if unbalanced:
        kinds = kinds[: unbalanced.index]
        directives = {index: d for index, d in directives.items() if index < unbalanced.index}
    reading = _read_all_ways(kinds, directives)
    if not _is_clean(reading) and any(d.line is Line.IF for d in directives.values()):
        reading = _read_each_environment(kinds, directives)
    failure = reading.failure or unbalanced
    # Rules speak of text that the grammar accepts.
    accepted = kinds[: failure.index] if failure else kinds
    broken, lost = broken_rule(tokens, accepted, directives)
    return Reading(broken or failure, reading.at_end or unclosed or lost)


def _is_clean(reading: Reading) -> bool:
    return reading.failure is None and reading.at_end is None


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


_OPENS = {Line.IF: Line.IF, Line.REGION: Line.REGION}
_CLOSES = {Line.END_IF: Line.IF, Line.END_REGION: Line.REGION}
_CLOSER_NAMES = {Line.IF: "`#КонецЕсли`/`#EndIf`", Line.REGION: "`#КонецОбласти`/`#EndRegion`"}


def _check_balance(
    directives: dict[int, Directive], num_tokens: int
) -> tuple[Failure | None, Failure | None]:
    """The first line that cannot stand where it does, and what is still open at the end."""
    conditions: list[bool] = []  # whether `#Иначе` was seen, per open `#Если`
    num_regions = 0
    for index, directive in directives.items():
        line = directive.line
        if line in (Line.MALFORMED, Line.UNFINISHED):
            return Failure(index, message="not a complete preprocessor line"), None
        if line is Line.IF:
            conditions.append(False)
        elif line is Line.REGION:
            num_regions += 1
        elif line is Line.END_REGION:
            num_regions -= 1
            if num_regions < 0:
                return Failure(index, message="`#КонецОбласти` without `#Область`"), None
        elif line in (Line.ELSIF, Line.ELSE, Line.END_IF):
            if not conditions or (conditions[-1] and line is not Line.END_IF):
                return Failure(index, message="no `#Если` is open for this line"), None
            conditions[-1] |= line is Line.ELSE
            if line is Line.END_IF:
                conditions.pop()
    if conditions or num_regions > 0:
        closer = _CLOSER_NAMES[Line.IF if conditions else Line.REGION]
        return None, Failure(num_tokens, message=f"expected {closer}")
    return None, None


@dataclass
class _Branches:
    """One open `#Если`: the ways into it and the ways out of its branches so far."""

    entries: list[Config]
    exits: list[Config]
    has_else: bool = False


def _read_all_ways(kinds: list[Kind], directives: dict[int, Directive]) -> Reading:
    ways = [Config(table().start)]
    open_branches: list[_Branches] = []
    start = 0
    for index, directive in [*directives.items(), (len(kinds), Directive(Line.OTHER))]:
        ways, failure = _advance_all(ways, kinds, start, index)
        if failure:
            return Reading(failure, None)
        start = index + 1
        if directive.line is Line.IF:
            open_branches.append(_Branches(ways, []))
        elif directive.line in (Line.ELSIF, Line.ELSE):
            branches = open_branches[-1]
            branches.exits += ways
            branches.has_else |= directive.line is Line.ELSE
            ways = branches.entries
        elif directive.line is Line.END_IF:
            branches = open_branches.pop()
            skipped = [] if branches.has_else else branches.entries
            ways = list(dict.fromkeys(branches.exits + ways + skipped))
            if len(ways) > _MAX_WAYS:
                return Reading(Failure(index, message="too many ways through"), None)
    endless = next((way for way in ways if not accepts(way, Kind.END)), None)
    return Reading(None, Failure(len(kinds), expected(endless)) if endless else None)


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


def _read_each_environment(kinds: list[Kind], directives: dict[int, Directive]) -> Reading:
    """The first failure over the environments; clean when every environment's text is."""
    seen: set[tuple[int, ...]] = set()
    readings: list[Reading] = []
    for symbols in _environments(directives):
        active = _active_tokens(kinds, directives, symbols)
        if tuple(active) in seen:
            continue
        seen.add(tuple(active))
        readings.append(_read_indices(kinds, active))
    failures = [reading.failure for reading in readings if reading.failure]
    ends = [reading.at_end for reading in readings if reading.at_end]
    first = min(failures, key=lambda failure: failure.index) if failures else None
    return Reading(first, ends[0] if ends else None)


def _environments(directives: dict[int, Directive]) -> list[frozenset[str]]:
    """Known environments, each with all symbols of the project's own undefined and defined."""
    own = frozenset().union(*(d.symbols for d in directives.values())) - KNOWN_SYMBOLS
    return [*ENVIRONMENTS, *(symbols | own for symbols in ENVIRONMENTS if own)]


def _active_tokens(
    kinds: list[Kind], directives: dict[int, Directive], symbols: frozenset[str]
) -> list[int]:
    active: list[int] = []
    open_conditions: list[tuple[bool, bool]] = []  # (this branch is on, an earlier one was)
    is_on, start = True, 0
    for index, directive in [*directives.items(), (len(kinds), Directive(Line.OTHER))]:
        if is_on:
            active.extend(range(start, index))
        start = index + 1
        line = directive.line
        holds = directive.holds(symbols) if directive.holds else line is Line.ELSE
        if line is Line.IF:
            open_conditions.append((holds, holds))
        elif line in (Line.ELSIF, Line.ELSE) and open_conditions:
            _, was_on = open_conditions.pop()
            open_conditions.append((holds and not was_on, was_on or holds))
        elif line is Line.END_IF and open_conditions:
            open_conditions.pop()
        is_on = all(on for on, _ in open_conditions)
    return active


def _read_indices(kinds: list[Kind], active: list[int]) -> Reading:
    selected = [kinds[index] for index in active]
    ways, failure = _advance_all([Config(table().start)], selected, 0, len(selected))
    if failure:
        return Reading(replace(failure, index=active[failure.index]), None)
    if accepts(ways[0], Kind.END):
        return Reading(None, None)
    return Reading(None, Failure(len(kinds), expected(ways[0])))
