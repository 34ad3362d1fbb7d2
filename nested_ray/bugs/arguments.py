"""Neighbouring arguments of a call that could have been swapped."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from nested_ray.bugs.reading import CLOSING, HEADINGS, OPENING, CodeReading
from nested_ray.bugs.siblings import CONSTANTS
from nested_ray.bugs.slots import Slot
from nested_ray.languages.base import Span, TokenKind

MAX_CALL_TOKENS = 400
"""Arguments further from the bracket are data, not a call."""

SYMMETRIC = frozenset({"min", "max", "мин", "макс", "isclose", "gcd", "hypot"})
"""Calls that do not care about the order of their arguments."""


def argument_slots(code: CodeReading) -> Iterator[Slot]:
    """Neighbouring simple arguments of calls."""
    for position in range(1, len(code.tokens)):
        if code.words[position] == "(" and is_call(code, position):
            arguments = simple_arguments(code, position)
            for first, second in pairwise(arguments):
                if first and second:
                    slot = swap_slot(code, first, second)
                    if slot is not None:
                        yield slot


def is_call(code: CodeReading, position: int) -> bool:
    callee = code.tokens[position - 1]
    if callee.kind is not TokenKind.NAME or code.words[position - 1] in SYMMETRIC:
        return False
    return code.word(position - 2) not in HEADINGS and code.function_at(position) >= 0


def simple_arguments(code: CodeReading, opening: int) -> list[tuple[int, int] | None]:
    """Token ranges of the positional arguments; None for one that is no name, path or literal."""
    arguments: list[tuple[int, int] | None] = []
    start, depth = opening + 1, 1
    for position in range(opening + 1, min(len(code.tokens), opening + MAX_CALL_TOKENS)):
        word = code.words[position]
        depth += (word in OPENING) - (word in CLOSING)
        if depth == 0 or (depth == 1 and word == ","):
            simple = all(is_simple(code, start, at) for at in range(start, position))
            arguments.append((start, position) if simple and position > start else None)
            start = position + 1
        if depth == 0:
            return arguments
    return []


def is_simple(code: CodeReading, start: int, position: int) -> bool:
    """Whether the token may stand at its place in `name`, `path.to.name` or a literal."""
    kind = code.tokens[position].kind
    if (position - start) % 2:
        return code.words[position] == "."
    if position == start:
        is_literal = kind in (TokenKind.NUMBER, TokenKind.STRING)
        return is_literal or kind is TokenKind.NAME or code.words[position].lower() in CONSTANTS
    return kind is TokenKind.NAME


def swap_slot(code: CodeReading, first: tuple[int, int], second: tuple[int, int]) -> Slot | None:
    """The two arguments and the same in the other order; None when that is the same."""
    spans = [
        Span(code.tokens[start].span.start, code.tokens[end - 1].span.end)
        for start, end in (first, second)
    ]
    left, right = (code.text[span.start : span.end] for span in spans)
    if code.language.fold(left) == code.language.fold(right) or "\n" in left + right:
        return None
    between = code.text[spans[0].end : spans[1].start]
    whole = Span(spans[0].start, spans[1].end)
    return Slot(
        "arguments",
        whole,
        first[0],
        (left + between + right, right + between + left),
        parts=(first, second),
    )
