"""Level inputs: context and window as one row of ids, the same code for training and serving.

[<|repository|> repository ids] [<|file|> file ids] <|window|> window ids
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.levels import KINDS, Level, Place


class ContextLevel(Protocol):
    """A configured level, from a config file or from `nest.json`."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def context_tokens(self) -> int: ...


def context_budgets(level: ContextLevel, levels: Iterable[ContextLevel]) -> dict[str, int]:
    """Tokens of every context that a level sees, by kind, the widest first.

    A kind below the level's own takes the budget of the last level of that kind before it; where
    the nest has none, the level's own.
    """
    below: dict[str, int] = {}
    for other in levels:
        if other.name == level.name:
            break
        below[other.kind] = other.context_tokens
    seen = KINDS[1 : KINDS.index(level.kind) + 1]
    budgets = {kind: below.get(kind, level.context_tokens) for kind in seen}
    if level.kind in budgets:
        budgets[level.kind] = level.context_tokens
    return dict(reversed(budgets.items()))


def max_input_tokens(budgets: Mapping[str, int], window_tokens: int) -> int:
    """Length of the longest level input: contexts and window, each with its marker."""
    return sum(budgets.values()) + len(budgets) + 1 + window_tokens


def encode_context(
    tokenizer: NestTokenizer, level: Level, place: Place, max_tokens: int
) -> list[int]:
    """Marker and context ids; a text over the budget loses its front."""
    marker = {
        "<|file|>": tokenizer.file,
        "<|repository|>": tokenizer.repository,
    }[level.marker]
    if max_tokens == 0:
        return [marker]
    return [marker, *tokenizer.encode_tail(level.context(place), max_tokens)]


def encode_level_input(
    tokenizer: NestTokenizer,
    levels: Mapping[str, Level],
    budgets: Mapping[str, int],
    place: Place,
    window_ids: Sequence[int],
) -> tuple[list[int], int]:
    """Input ids of one level and the index of the first window token in them.

    `levels` comes from `build_levels`, `budgets` from `context_budgets`.
    """
    input_ids: list[int] = []
    for kind, max_tokens in budgets.items():
        input_ids.extend(encode_context(tokenizer, levels[kind], place, max_tokens))
    input_ids.append(tokenizer.window)
    return [*input_ids, *window_ids], len(input_ids)


def text_before(tokenizer: NestTokenizer, ids: Iterable[int]) -> str:
    """The `before` of a Place whose window follows these ids; half a character at the end is left out."""
    return tokenizer.decode_bytes(ids).decode("utf-8", "ignore")
