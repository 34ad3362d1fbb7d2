"""Slots of a file with what could stand in them instead."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from nested_ray.bugs.arguments import argument_slots
from nested_ray.bugs.reading import RECEIVERS, CodeReading
from nested_ray.bugs.siblings import word_slots
from nested_ray.bugs.slots import KINDS, Slot
from nested_ray.languages.base import Symbol

MAX_OPTIONS = 12
"""Names used last before the slot; the thirteenth is hardly ever the one that was meant."""
MAX_POOL = 60
"""Variables looked at for that: a function with thousands of them costs no more."""


def find_slots(code: CodeReading) -> list[Slot]:
    """Every slot inside of functions, in order."""
    slots = [*name_slots(code), *word_slots(code), *argument_slots(code)]
    return sorted(slots, key=lambda slot: (slot.position, KINDS.index(slot.kind)))


def name_slots(code: CodeReading) -> Iterator[Slot]:
    """Reads of parameters and variables where another one is in scope."""
    symbols = code.table.symbols
    pools = Pools(code)
    for position, use in code.use_at.items():
        if use.is_write or use.symbol is None or code.functions[use.scope] < 0:
            continue
        symbol = symbols[use.symbol]
        if not is_variable(symbol) or code.functions[symbol.scope] < 0:
            continue
        # What the statement itself binds first has no value yet while it is computed.
        start = code.tokens[code.statements[position]].span.start
        others = [index for index in pools.bound_before(use.scope, start) if index != use.symbol]
        if others:
            others.sort(key=lambda index: -last_before(code, index, position))
            chosen = (use.symbol, *others[: MAX_OPTIONS - 1])
            texts = (code.spelling(position), *(symbols[index].name for index in chosen[1:]))
            yield Slot("name", use.span, position, texts, symbols=chosen)


def is_variable(symbol: Symbol) -> bool:
    return symbol.kind in ("parameter", "variable") and symbol.name not in RECEIVERS


class Pools:
    """Variables of each scope and of the functions around it."""

    def __init__(self, code: CodeReading) -> None:
        self._code = code
        self._of_scope: dict[int, list[int]] = defaultdict(list)
        for index, symbol in enumerate(code.table.symbols):
            if is_variable(symbol):
                self._of_scope[symbol.scope].append(index)
        self._pools: dict[int, tuple[list[int], list[int]]] = {}

    def bound_before(self, scope: int, offset: int) -> list[int]:
        """At most MAX_POOL variables, those bound last before a character."""
        if scope not in self._pools:
            pool = self._read(scope)
            starts = [self._code.table.symbols[index].span.start for index in pool]
            self._pools[scope] = pool, starts
        pool, starts = self._pools[scope]
        end = bisect_left(starts, offset)
        return pool[max(end - MAX_POOL, 0) : end]

    def _read(self, scope: int) -> list[int]:
        names: dict[str, int] = {}
        at: int | None = scope
        while at is not None and self._code.functions[at] >= 0:
            for index in self._of_scope[at]:
                # An inner name hides an outer one.
                names.setdefault(
                    self._code.language.fold(self._code.table.symbols[index].name), index
                )
            at = self._code.table.scopes[at].parent
        return sorted(names.values(), key=lambda index: self._code.table.symbols[index].span.start)


def last_before(code: CodeReading, symbol: int, position: int) -> int:
    """Position of the symbol's last use before another; -1 when there is none."""
    positions = code.positions[symbol]
    at = bisect_left(positions, position)
    return positions[at - 1] if at else -1
