"""Query text inside the strings of a module: where it stands, what it names, whether it is broken."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, replace

from nested_ray.languages.base import Span, SyntaxIssue, Token, TokenKind
from nested_ray.languages.bsl.keywords import Kind
from nested_ray.languages.bsl.lexer import Tokens
from nested_ray.languages.bsl.query_reader import (
    QueryName,
    QueryReader,
    QueryTable,
    lexemes_of,
)
from nested_ray.languages.bsl.query_words import TABLE_KINDS

# What a module writes in a string and a query reads as something else: a quote, and the way to `|`.
_WRITTEN = re.compile(
    r'""|(?:\r\n?|\n)(?:[ \t\f]*+(?://[^\r\n]*+|\#[^\r\n]*+)?(?:\r\n?|\n))*+[ \t\f]*+\|'
)
_BEGINNING = re.compile(
    r"(?:\s|//[^\n]*+\n)*+(?P<word>выбрать|select|уничтожить|drop)\b\s*+\S", re.IGNORECASE
)
_FROM_TABLE = re.compile(rf"\b(?:из|from)\s+(?:{'|'.join(TABLE_KINDS)})\.\w", re.IGNORECASE)
_FIRST_WORDS = ("выбрать", "select", "уничтожить", "drop")
_BEGINNING_CHARS = 2_000
_JOINED = (Kind.SIGN, Kind.STRING)

_TOKEN_KINDS = {
    "name": TokenKind.NAME,
    "parameter": TokenKind.NAME,
    "placeholder": TokenKind.NAME,
    "keyword": TokenKind.KEYWORD,
    "number": TokenKind.NUMBER,
    "string": TokenKind.STRING,
    "operator": TokenKind.OPERATOR,
    "punctuation": TokenKind.PUNCTUATION,
    "error": TokenKind.ERROR,
}


@dataclass(frozen=True)
class Places:
    """Where stretches of a query begin, in its text and in the module."""

    starts: tuple[int, ...]
    in_text: tuple[int, ...]

    def in_module(self, span: Span) -> Span:
        """The stretch of the module that a stretch of the query is written as."""
        start = self._place(span.start)
        return Span(start, max(start, self._place(span.end - 1) + 1))

    def _place(self, offset: int) -> int:
        index = bisect_right(self.starts, offset) - 1
        return self.in_text[index] + offset - self.starts[index]


@dataclass(frozen=True)
class Query:
    """A string that holds a query. Spans of what it names are offsets into the module."""

    span: Span
    """The string, with its quotes."""
    text: str
    """The query itself: quotes single, lines without `|`."""
    is_part: bool
    """Whether the program joins it with other strings, so that it need not be whole."""
    tokens: tuple[Token, ...]
    tables: tuple[QueryTable, ...]
    created: tuple[QueryName, ...]
    """Temporary tables it fills (`ПОМЕСТИТЬ`)."""
    dropped: tuple[QueryName, ...]
    """Temporary tables it removes (`УНИЧТОЖИТЬ`)."""
    parameters: tuple[QueryName, ...]
    aliases: tuple[QueryName, ...]
    issue: SyntaxIssue | None
    """Why it is no query; never for one that is only a part."""
    places: Places

    def in_module(self, span: Span) -> Span:
        """The stretch of the module that a stretch of `text` is written as."""
        return self.places.in_module(span)


def find_queries(tokens: Tokens) -> tuple[Query, ...]:
    """The queries in the strings of a module, in order."""
    strings = (index for index, kind in enumerate(tokens.kinds) if kind is Kind.STRING)
    return tuple(
        _query(tokens, index, *_unwritten(tokens, index))
        for index in strings
        if _may_be_query(tokens.spellings[index]) and _is_query(_unwritten(tokens, index)[0])
    )


def _may_be_query(spelling: str) -> bool:
    first = spelling[1 : 1 + _BEGINNING_CHARS].lower()
    return any(word in first for word in _FIRST_WORDS)


def _is_query(text: str) -> bool:
    """Queries are written in capitals; in other spellings a database table has to follow.

    `Выбрать файл из списка` is the title of a button.
    """
    beginning = _BEGINNING.match(text)
    if beginning is None:
        return False
    return beginning["word"].isupper() or _FROM_TABLE.search(text) is not None


def _unwritten(tokens: Tokens, index: int) -> tuple[str, Places]:
    """The text that a string literal stands for, and where its stretches are written."""
    written, begin = tokens.spellings[index][1:-1], tokens.starts[index] + 1
    parts: list[str] = []
    starts, in_text = [0], [begin]
    length = position = 0
    for match in _WRITTEN.finditer(written):
        replaced = '"' if match[0] == '""' else "\n"
        parts += (written[position : match.start()], replaced)
        length += match.start() - position
        starts += (length, length + 1)
        in_text += (begin + match.start(), begin + match.end())
        length += 1
        position = match.end()
    parts.append(written[position:])
    return "".join(parts), Places(tuple(starts), tuple(in_text))


def _query(tokens: Tokens, index: int, text: str, places: Places) -> Query:
    lexemes = lexemes_of(text)
    reading = QueryReader(lexemes).read()
    neighbours = (*tokens.kinds[max(index - 1, 0) : index], *tokens.kinds[index + 1 : index + 2])
    is_part = any(kind in _JOINED for kind in neighbours)
    issue = None
    if reading.issue is not None and not is_part:
        issue = SyntaxIssue(places.in_module(reading.issue.span), reading.issue.message)
    return Query(
        span=Span(tokens.starts[index], tokens.end(index)),
        text=text,
        is_part=is_part,
        tokens=tuple(Token(_TOKEN_KINDS[one.kind], one.span) for one in lexemes),
        tables=tuple(replace(one, span=places.in_module(one.span)) for one in reading.tables),
        created=_in_module(reading.created, places),
        dropped=_in_module(reading.dropped, places),
        parameters=_in_module(reading.parameters, places),
        aliases=_in_module(reading.aliases, places),
        issue=issue,
        places=places,
    )


def _in_module(names: list[QueryName], places: Places) -> tuple[QueryName, ...]:
    return tuple(replace(one, span=places.in_module(one.span)) for one in names)
