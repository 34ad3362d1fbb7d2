"""The tokens of a text as the search for a repair sees them: spelled, with their places, without comments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from nested_ray.languages.base import Language, TokenKind

INDENT, DEDENT, LINE_END = "<indent>", "<dedent>", "\n"
_LITERALS = {TokenKind.STRING: '"', TokenKind.NUMBER: "0"}
_GRAMMATICAL = frozenset({TokenKind.KEYWORD, TokenKind.OPERATOR, TokenKind.PUNCTUATION})


class Word(NamedTuple):
    """One token."""

    spelling: str
    folded: str
    """Equal for tokens that mean the same; one spelling for all strings, one for all numbers."""
    shape: str
    """What kind of token it is: its folded spelling, one for all names, one per kind of literal."""
    kind: TokenKind
    start: int
    end: int


def read_words(language: Language, text: str) -> list[Word]:
    """Every token that has a meaning, in order."""
    return [
        _word(language, text[token.span.start : token.span.end], token.kind, token.span.start)
        for token in language.tokens(text)
        if token.kind not in (TokenKind.COMMENT, TokenKind.DIRECTIVE)
    ]


def _word(language: Language, spelling: str, kind: TokenKind, start: int) -> Word:
    end = start + len(spelling)
    if kind is TokenKind.LAYOUT:
        mark = _layout_mark(spelling)
        return Word(spelling, mark, mark, kind, start, end)
    literal = _LITERALS.get(kind)
    if literal:
        return Word(spelling, literal, literal, kind, start, end)
    folded = language.fold(spelling)
    shape = folded if kind in _GRAMMATICAL else f"<{kind.value}>"
    return Word(spelling, folded, shape, kind, start, end)


def _layout_mark(spelling: str) -> str:
    if not spelling:
        return DEDENT
    return LINE_END if spelling[0] in "\r\n" else INDENT


def spelled_like(words: Sequence[Word]) -> dict[str, Word]:
    """Folded spelling to the word in its commonest spelling, for names, keywords and marks."""
    counts = Counter((word.folded, word.spelling) for word in words)
    found: dict[str, Word] = {}
    by_pair = {(word.folded, word.spelling): word for word in words}
    for pair, _ in counts.most_common():
        if by_pair[pair].kind in _GRAMMATICAL or by_pair[pair].kind is TokenKind.NAME:
            found.setdefault(pair[0], by_pair[pair])
    return found
