"""The automaton of the grammar at work: from one configuration to the next, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nested_ray.languages.bsl.automaton import ERROR, FIRST_PUSH, RETURN
from nested_ray.languages.bsl.grammar import table
from nested_ray.languages.bsl.keywords import Kind

_END = Kind.END  # Python 3.11 takes longer to look a member up than to read a token


class Config(NamedTuple):
    """Where the automaton stands: everything that decides what may follow."""

    state: int
    stack: tuple[int, ...] = ()


@dataclass(frozen=True)
class Failure:
    """The token (its index; the number of tokens for the end of the text) that cannot stand there."""

    index: int
    expected: frozenset[Kind] = frozenset()
    message: str = ""
    """Set when the reason is not an unexpected token."""
    place: int | None = None
    """The token to show instead, where the error more likely was made."""


def advance(config: Config, kinds: Sequence[int]) -> tuple[Config | None, int]:
    """Read tokens: the configuration after them, or None and the index of the first error."""
    rows, pushes = table().rows, table().pushes
    state, stack = config.state, list(config.stack)
    for position, kind in enumerate(kinds):
        action = rows[state][kind]
        while action < 0:
            if action == RETURN and stack:
                state = stack.pop()
                action = rows[state][kind]
            elif action <= FIRST_PUSH:
                returns, action = pushes[FIRST_PUSH - action]
                stack.extend(returns)
            else:
                return None, position
        state = action
    return Config(state, tuple(stack)), len(kinds)


def accepts(config: Config, kind: int) -> bool:
    """Whether a token of the kind may come next; Kind.END asks whether the module may end."""
    rows = table().rows
    state, depth = config.state, len(config.stack)
    while rows[state][kind] == RETURN:
        if not depth:
            return kind == _END
        depth -= 1
        state = config.stack[depth]
    return rows[state][kind] != ERROR


def expected(config: Config) -> frozenset[Kind]:
    """Every kind that may come next."""
    return frozenset(kind for kind in Kind if accepts(config, kind))
