"""Siblings: operators and literals that are easily taken for each other."""

from __future__ import annotations

from collections.abc import Iterator

from nested_ray.bugs.reading import CLOSING, HEADINGS, CodeReading
from nested_ray.bugs.slots import Slot, SlotKind
from nested_ray.languages.base import TokenKind

MAX_NUMBER = 1_000
"""Larger literals are facts of their own: nothing around them says what they should be."""

SIBLINGS: dict[str, tuple[str, ...]] = {
    "==": ("!=",),
    "!=": ("==",),
    "<>": ("=",),
    "<": ("<=",),
    "<=": ("<",),
    ">": (">=",),
    ">=": (">",),
    "+": ("-",),
    "-": ("+",),
    "+=": ("-=",),
    "-=": ("+=",),
    "and": ("or",),
    "or": ("and",),
    "и": ("Или",),
    "или": ("И",),
}
CONSTANTS: dict[str, str] = {
    "true": "False",
    "false": "True",
    "истина": "Ложь",
    "ложь": "Истина",
}


def word_slots(code: CodeReading) -> Iterator[Slot]:
    """Operators and literals with their siblings."""
    for position, token in enumerate(code.tokens):
        if token.kind not in (TokenKind.OPERATOR, TokenKind.NUMBER, TokenKind.KEYWORD):
            continue
        if code.function_at(position) < 0:
            continue
        if token.kind is TokenKind.OPERATOR:
            others = sibling_operators(code, position)
            kind: SlotKind = "operator"
        else:
            others = sibling_literals(code, position)
            kind = "literal"
        if others:
            yield Slot(kind, token.span, position, (code.spelling(position), *others))


def sibling_operators(code: CodeReading, position: int) -> tuple[str, ...]:
    """Operators that compute something else from the same operands."""
    word = code.words[position]
    if word in ("=",):
        return ("<>",) if is_comparison(code, position) else ()
    found = SIBLINGS.get(word, ())
    if word in ("+", "-"):
        near = (position - 1, position + 1)
        ends_operand = position > 0 and is_operand_end(code, position - 1)
        if not ends_operand or any(code.word(at) == '""' for at in near):
            return ()  # a sign, or text that is joined: its difference fails at once
    return matching_case(found, code.spelling(position))


def matching_case(words: tuple[str, ...], spelling: str) -> tuple[str, ...]:
    """BSL writes `И`, `и` and `ИЛИ`; the sibling is written like the word it replaces."""
    if spelling.isupper() and len(spelling) > 1:
        return tuple(word.upper() for word in words)
    return tuple(word.lower() for word in words) if spelling.islower() else words


def is_operand_end(code: CodeReading, position: int) -> bool:
    kind = code.tokens[position].kind
    if kind in (TokenKind.NAME, TokenKind.NUMBER, TokenKind.STRING):
        return True
    return code.words[position] in CLOSING or code.words[position] in CONSTANTS


def is_comparison(code: CodeReading, position: int) -> bool:
    """Whether a `=` of BSL compares: behind a keyword, in brackets, or after the one that assigns."""
    start = code.statements[position]
    if code.word(start) in HEADINGS or code.language.is_case_sensitive:
        return False
    if code.depths[position] > code.depths[start]:
        return True
    opened = code.tokens[start].kind is TokenKind.KEYWORD and code.word(start) not in ("для", "for")
    return opened or code.assignments.get(start, position) < position


def sibling_literals(code: CodeReading, position: int) -> tuple[str, ...]:
    """Literals that are easily taken for this one."""
    word = code.words[position]
    if code.tokens[position].kind is TokenKind.KEYWORD:
        other = CONSTANTS.get(word.lower())
        return matching_case((other,), code.spelling(position)) if other else ()
    if not (word.isascii() and word.isdigit()) or int(word[:8]) > MAX_NUMBER:
        return ()
    number = int(word)
    return tuple(str(other) for other in (number - 1, number + 1) if other >= 0)
