"""Names inside one BSL method: where they are written, read and called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from nested_ray.analyzers.semantics.bsl.module import BslModule
from nested_ray.analyzers.semantics.bsl.patterns import any_of, one
from nested_ray.languages.bsl.keywords import Kind

_NAME = re.compile(
    b"(?<!" + any_of(Kind.DOT, Kind.AMPERSAND, Kind.TILDE, Kind.NEW) + b")" + one(Kind.NAME)
)
# What stands before a statement; after anything else `Имя =` compares.
BEFORE_STATEMENT = frozenset(
    (
        *(Kind.SEMICOLON, Kind.THEN, Kind.ELSE, Kind.DO, Kind.TRY, Kind.EXCEPT, Kind.COLON),
        *(Kind.FOR, Kind.END_IF, Kind.END_DO, Kind.END_TRY),
    )
)
_RUNS_TEXT = frozenset(("вычислить", "eval"))


class PlainCall(NamedTuple):
    """A call without anything before the name."""

    name: str
    """Folded."""
    token: int


@dataclass
class Names:
    """Folded name → tokens, in order."""

    declared: dict[str, int] = field(default_factory=dict)
    """By `Перем`."""
    written: dict[str, list[int]] = field(default_factory=dict)
    loops: dict[str, list[int]] = field(default_factory=dict)
    """Written as the variable of a `Для`."""
    read: dict[str, int] = field(default_factory=dict)
    """Where it is read first."""
    calls: list[PlainCall] = field(default_factory=list)
    runs_text: bool = False
    """`Выполнить` and `Вычислить` can use any name."""

    def first_binding(self, name: str) -> int | None:
        """The first token that makes the name a variable of the method."""
        places = [
            *self.written.get(name, ())[:1],
            *self.loops.get(name, ())[:1],
            *([self.declared[name]] if name in self.declared else ()),
        ]
        return min(places, default=None)


def read_names(module: BslModule, start: int, end: int) -> Names:
    """Of the tokens of one method's body, or of the module's own statements."""
    kinds, words = module.kinds, module.words
    names = Names()
    in_declaration = -1  # the last token of the `Перем` statement being read
    for match in _NAME.finditer(kinds, start, end):
        index = match.start()
        name = words[index]
        following, before = kinds[index + 1] if index + 1 < len(kinds) else 0, kinds[index - 1]
        if following == Kind.OPEN:
            names.calls.append(PlainCall(name, index))
            names.runs_text |= name in _RUNS_TEXT
        elif index <= in_declaration:
            names.declared.setdefault(name, index)
        elif before == Kind.VAR:
            in_declaration = kinds.find(Kind.SEMICOLON, index)
            names.declared.setdefault(name, index)
        elif before == Kind.EACH or (before == Kind.FOR and following == Kind.EQUAL):
            names.loops.setdefault(name, []).append(index)
        elif following == Kind.EQUAL and (index == start or before in BEFORE_STATEMENT):
            names.written.setdefault(name, []).append(index)
        elif name not in names.read:
            names.read[name] = index
    names.runs_text |= kinds.find(Kind.EXECUTE, start, end) >= 0
    return names


def own_stretches(module: BslModule) -> Iterator[tuple[int, int]]:
    """The tokens that belong to no method."""
    start = 0
    for method in module.methods:
        if start < method.token - 1:
            yield start, method.token - 1
        start = method.end + 1
    if start < len(module.kinds):
        yield start, len(module.kinds)
