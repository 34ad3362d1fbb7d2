"""Tokens of the BSL lexer → the tokens every language has, comments included."""

from __future__ import annotations

import re

from nested_ray.languages.base import Span, Token, TokenKind
from nested_ray.languages.bsl.keywords import PUNCTUATION, SPELLINGS, Kind
from nested_ray.languages.bsl.lexer import Tokens

_COMMENT = re.compile(r"//[^\r\n]*+")
_OPERATORS = (Kind.EQUAL, Kind.SIGN, Kind.OPERATOR, Kind.NOT, Kind.AND_OR)

_TOKEN_KINDS: dict[Kind, TokenKind] = {
    **dict.fromkeys(SPELLINGS, TokenKind.KEYWORD),
    **dict.fromkeys(PUNCTUATION.values(), TokenKind.PUNCTUATION),
    **dict.fromkeys(_OPERATORS, TokenKind.OPERATOR),
    Kind.NAME: TokenKind.NAME,
    Kind.NUMBER: TokenKind.NUMBER,
    Kind.STRING: TokenKind.STRING,
    Kind.DATE: TokenKind.STRING,
    Kind.DIRECTIVE: TokenKind.DIRECTIVE,
    Kind.ERROR: TokenKind.ERROR,
}
# A keyword there is a plain name: `Запрос.Выполнить()`, `&Перед`, `Перейти ~Конец`.
_NAME_FOLLOWS = (Kind.DOT, Kind.AMPERSAND, Kind.TILDE)


def to_tokens(tokens: Tokens, kinds: list[Kind]) -> list[Token]:
    """Every token and comment, in order. `kinds` are the tokens' own, or a parser's reading of them."""
    found: list[Token] = []
    position, previous = 0, Kind.END
    for start, spelling, kind in zip(tokens.starts, tokens.spellings, kinds, strict=True):
        if start > position:
            found.extend(_comments(tokens.text, position, start))
        position = start + len(spelling)
        is_name = previous in _NAME_FOLLOWS and kind in SPELLINGS
        token_kind = TokenKind.NAME if is_name else _TOKEN_KINDS[kind]
        found.append(Token(token_kind, Span(start, position)))
        previous = kind
    found.extend(_comments(tokens.text, position, len(tokens.text)))
    return found


def _comments(text: str, start: int, end: int) -> list[Token]:
    return [
        Token(TokenKind.COMMENT, Span(*match.span()))
        for match in _COMMENT.finditer(text, start, end)
    ]
