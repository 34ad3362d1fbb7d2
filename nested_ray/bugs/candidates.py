"""Slots of a file with what could stand in them instead."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from nested_ray.bugs.arguments import argument_slots
from nested_ray.bugs.reading import RECEIVERS, CodeReading
from nested_ray.bugs.siblings import word_slots
from nested_ray.bugs.slots import KINDS, Slot
from nested_ray.languages.base import Symbol

MAX_OPTIONS = 12
"""Names nearest to the slot; the thirteenth is hardly ever the one that was meant."""


def find_slots(code: CodeReading) -> list[Slot]:
    """Every slot inside of functions, in order."""
    slots = [*name_slots(code), *word_slots(code), *argument_slots(code)]
    return sorted(slots, key=lambda slot: (slot.position, KINDS.index(slot.kind)))


def name_slots(code: CodeReading) -> Iterator[Slot]:
    """Reads of parameters and variables where another one is in scope."""
    symbols = code.table.symbols
    pools = {scope: pool_of(code, scope) for scope in range(len(code.table.scopes))}
    for position, use in code.use_at.items():
        if use.is_write or use.symbol is None or code.functions[use.scope] < 0:
            continue
        if not is_variable(symbols[use.symbol]):
            continue
        # What the statement itself binds first has no value yet while it is computed.
        start = code.tokens[code.statements[position]].span.start
        others = [
            index
            for index in pools[use.scope]
            if index != use.symbol and symbols[index].span.start < start
        ]
        if code.functions[symbols[use.symbol].scope] < 0 or not others:
            continue
        others.sort(key=lambda index: -last_before(code, index, position))
        chosen = (use.symbol, *others[: MAX_OPTIONS - 1])
        texts = (code.spelling(position), *(symbols[index].name for index in chosen[1:]))
        yield Slot("name", use.span, position, texts, symbols=chosen)


def is_variable(symbol: Symbol) -> bool:
    return symbol.kind in ("parameter", "variable") and symbol.name not in RECEIVERS


def pool_of(code: CodeReading, scope: int) -> list[int]:
    """Variables of a scope and of the functions around it, by index."""
    around: set[int] = set()
    at: int | None = scope
    while at is not None and code.functions[at] >= 0:
        around.add(at)
        at = code.table.scopes[at].parent
    names: dict[str, int] = {}
    for index, symbol in enumerate(code.table.symbols):
        if symbol.scope in around and is_variable(symbol):
            names[code.language.fold(symbol.name)] = index  # an inner name hides an outer one
    return list(names.values())


def last_before(code: CodeReading, symbol: int, position: int) -> int:
    """Position of the symbol's last use before another; -1 when there is none."""
    positions = code.positions[symbol]
    at = bisect_left(positions, position)
    return positions[at - 1] if at else -1
