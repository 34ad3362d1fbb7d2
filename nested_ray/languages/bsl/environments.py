"""Places a module can run, and which branches of `#Если` each of them reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nested_ray.languages.bsl.directives import (
    ENVIRONMENTS,
    KNOWN_SYMBOLS,
    Directive,
    Line,
    parse_directive,
)


def is_reached(conditions: Iterable[list[str]]) -> bool:
    """Whether some environment reads the innermost open branch; `conditions` are the lines of each."""
    lines = [[parse_directive(line) for line in condition] for condition in conditions]
    every = (directive for branches in lines for directive in branches)
    return not lines or any(
        all(_is_last_on(branches, symbols) for branches in lines) for symbols in environments(every)
    )


def _is_last_on(branches: list[Directive], symbols: frozenset[str]) -> bool:
    """Whether the last branch so far of an `#Если` is the one that is read."""
    *earlier, last = branches
    return _holds(last, symbols) and not any(_holds(one, symbols) for one in earlier)


def _holds(directive: Directive, symbols: frozenset[str]) -> bool:
    return directive.holds(symbols) if directive.holds else directive.line is Line.ELSE


def environments(directives: Iterable[Directive]) -> list[frozenset[str]]:
    """Known environments, each with all symbols of the project's own undefined and defined."""
    own = frozenset().union(*(d.symbols for d in directives)) - KNOWN_SYMBOLS
    return [*ENVIRONMENTS, *(symbols | own for symbols in ENVIRONMENTS if own)]


@dataclass
class _Switch:
    """One open `#Если` as an environment sees it."""

    is_on: bool
    was_on: bool = field(default=False)


def active_tokens(
    num_tokens: int, directives: dict[int, Directive], symbols: frozenset[str]
) -> list[int]:
    """Indices of the tokens that are read where the symbols are true."""
    active: list[int] = []
    switches: list[_Switch] = []
    num_off = start = 0
    for index, directive in [*directives.items(), (num_tokens, Directive(Line.OTHER))]:
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
