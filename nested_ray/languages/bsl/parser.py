"""Tokens → whether they are a module, and if not, where and what was expected.

Preprocessor conditions make one text into several modules. First every branch is read from the
same point and all ways through the text are followed together (they nearly always meet again at
`#КонецЕсли`); that accepts every combination of conditions. Only when this fails is the module read
once for each environment, where `#Если Сервер` and a later `#Если Сервер` agree.
"""

from __future__ import annotations

from dataclasses import replace

from nested_ray.languages.bsl.directives import Directive, parse_directive
from nested_ray.languages.bsl.environments import active_tokens, environments
from nested_ray.languages.bsl.grammar import table
from nested_ray.languages.bsl.keywords import Kind
from nested_ray.languages.bsl.lexer import Tokens, find_kinds
from nested_ray.languages.bsl.machine import Config, Failure, accepts, expected
from nested_ray.languages.bsl.rules import Names, scan_rules
from nested_ray.languages.bsl.ways import (
    Point,
    Reading,
    Walk,
    advance_all,
    follow,
    read_all_ways,
    start_point,
    why_not_end,
)

_find_directives = find_kinds(Kind.DIRECTIVE)
_AWAIT = Kind.AWAIT


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
    directives = {index: tokens.spellings[index] for index in _find_directives(kinds)}
    walk = Walk.start(point)
    reading = read_all_ways(walk, kinds, directives)
    # Rules speak of text that the grammar accepts.
    accepted = kinds[: reading.failure.index] if reading.failure else kinds
    rules = scan_rules(tokens, accepted, names, point.branch, point.num_conditions)
    if rules.broken is not None:
        reading = Reading(rules.broken, reading.at_end)
    elif rules.lost is not None:
        reading = reading._replace(at_end=reading.at_end or rules.lost)
    return reading, walk.point(rules.branch, rules.num_conditions)


def await_only_in_async(kinds: list[Kind]) -> list[Kind]:
    """`Ждать` is a keyword inside asynchronous methods and a plain name elsewhere."""
    if _AWAIT not in bytes(kinds):  # a fast search; nearly no module has one
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


def _read_each_environment(tokens: Tokens) -> Reading:
    """The first failure over the environments; clean when every environment's text is."""
    kinds = await_only_in_async(tokens.kinds)
    directives = {
        index: parse_directive(tokens.spellings[index]) for index in _find_directives(kinds)
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
    walk = Walk([], [], 0, is_single=True)
    for index in directives:
        failure = follow(walk, index, tokens.spellings[index])
        if failure:
            return failure, None
    return None, why_not_end(walk, len(tokens.kinds))


def _first_of_all(kinds: list[Kind], directives: dict[int, Directive]) -> Reading:
    seen: set[tuple[int, ...]] = set()
    readings: list[Reading] = []
    for symbols in environments(directives.values()):
        active = active_tokens(len(kinds), directives, symbols)
        if tuple(active) in seen:
            continue
        seen.add(tuple(active))
        readings.append(_read_indices(kinds, active))
    failures = [reading.failure for reading in readings if reading.failure]
    ends = [reading.at_end for reading in readings if reading.at_end]
    first = min(failures, key=lambda failure: failure.index) if failures else None
    return Reading(first, ends[0] if ends else None)


def _read_indices(kinds: list[Kind], active: list[int]) -> Reading:
    selected = [kinds[index] for index in active]
    ways, failure = advance_all([Config(table().start)], selected, 0, len(selected))
    if failure:
        return Reading(replace(failure, index=active[failure.index]), None)
    if accepts(ways[0], Kind.END):
        return Reading(None, None)
    return Reading(None, Failure(len(kinds), expected(ways[0])))
