"""Python text → tokens, exact to the character: any text, and nothing of it is lost.

Lines, indentation, brackets and strings are read as CPython's tokenizer reads them. Literals with
replacement fields come in parts, so that the names inside them are tokens too.
"""

from __future__ import annotations

from dataclasses import dataclass

from nested_ray.languages.base import Span, Token, TokenKind
from nested_ray.languages.python.limits import MAX_CHARS
from nested_ray.languages.python.spelling import (
    CODE,
    CONVERSION,
    INDENT,
    KEYWORDS,
    KINDS,
    LITERAL_TEXTS,
    NESTS_QUOTES,
    OPERATOR_WORDS,
)


def tokens(text: str) -> list[Token]:
    """Every token of the text. What belongs to no token becomes ERROR tokens, as what is over MAX_CHARS."""
    if len(text) <= MAX_CHARS:
        return _Scanner(text).scan()
    rest = Span(MAX_CHARS, len(text))
    return [*_Scanner(text[:MAX_CHARS]).scan(), Token(TokenKind.ERROR, rest)]


@dataclass
class _Literal:
    """A literal with replacement fields that is being read, and the field that is open in it."""

    quote: str
    is_raw: bool
    outer_depth: int
    """Brackets open around the literal."""
    formats: int = 0
    """How many format specifications are open, one inside the other."""
    base_depth: int = 0
    """Brackets open around the expression of the open field, its own brace included."""


class _Scanner:
    """Reads one text from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[Token] = []
        self._position = 0
        self._depth = 0
        self._indents = [0]
        self._at_line_start = True
        self._literals: list[_Literal] = []
        self._in_literal_text = False
        self._line_first = -1
        """Index of the first token of the logical line, where a word there may be a keyword."""

    def scan(self) -> list[Token]:
        while self._position < len(self._text):
            if self._in_literal_text:
                self._read_literal_text(self._literals[-1])
            elif self._at_line_start:
                self._read_indent()
            else:
                self._read_code()
        for _ in self._indents[1:]:
            self._emit(TokenKind.LAYOUT, self._position)
        return self._found

    def _emit(self, kind: TokenKind, end: int) -> None:
        self._found.append(Token(kind, Span(self._position, end)))
        self._position = end

    def _read_indent(self) -> None:
        """Indents and dedents before the first token of a line that has one."""
        blanks = INDENT.match(self._text, self._position)
        end = blanks.end() if blanks else self._position
        self._at_line_start = False
        if end == len(self._text) or self._text[end] in "#\r\n":
            self._position = end
            return
        column = _column(self._text[self._position : end])
        if column > self._indents[-1]:
            self._indents.append(column)
            self._emit(TokenKind.LAYOUT, end)
        self._position = end
        while column < self._indents[-1]:
            self._indents.pop()
            self._emit(TokenKind.LAYOUT, end)
        self._line_first = len(self._found)

    def _read_code(self) -> None:
        if self._literals and self._ends_expression(self._literals[-1]):
            return
        match = CODE.match(self._text, self._position)
        kind = match.lastgroup if match else None
        if match is None or kind is None:  # the last alternative takes anything
            self._emit(TokenKind.ERROR, self._position + 1)
        elif kind == "blank":
            self._position = match.end()
        elif kind == "line_end":
            self._end_line(match.end())
        elif kind == "word":
            self._read_word(match[0])
        elif kind == "literal":
            self._open_literal(match[0])
        else:
            self._read_sign(kind, match[0])

    def _read_sign(self, kind: str, sign: str) -> None:
        end = self._position + len(sign)
        if kind == "open":
            self._depth += 1
        elif kind == "close":
            self._depth = max(0, self._depth - 1)
        elif sign == "@" and len(self._found) == self._line_first:
            kind = "punctuation"
        elif sign == ":" and not self._depth:
            self._decide_soft_keyword()
        self._emit(KINDS[kind], end)

    def _end_line(self, end: int) -> None:
        if not self._depth:
            if 0 <= self._line_first < len(self._found):
                self._emit(TokenKind.LAYOUT, end)
            self._at_line_start = True
            self._line_first = -1
        self._position = end

    def _read_word(self, word: str) -> None:
        end = self._position + len(word)
        if word in KEYWORDS:
            self._emit(TokenKind.KEYWORD, end)
        elif word in OPERATOR_WORDS:
            self._emit(TokenKind.OPERATOR, end)
        elif word.isascii() or word.isidentifier():
            if len(self._found) == self._line_first + 1 and self._first_word() == "type":
                self._make_keyword(self._line_first)
            self._emit(TokenKind.NAME, end)
        else:
            self._read_strange_word(word)

    def _read_strange_word(self, word: str) -> None:
        """A run of characters of which some can stand in no name."""
        length = 0
        while length < len(word) and ("a" * (length > 0) + word[length]).isidentifier():
            length += 1
        kind = TokenKind.NAME if length else TokenKind.ERROR
        self._emit(kind, self._position + max(length, 1))

    def _first_word(self) -> str:
        """The first word of the logical line where it is a name so far; empty otherwise."""
        if not 0 <= self._line_first < len(self._found):
            return ""
        first = self._found[self._line_first]
        return self._text[first.span.start : first.span.end] * (first.kind is TokenKind.NAME)

    def _decide_soft_keyword(self) -> None:
        """`match x:` and `case y:` begin with a keyword, `match: int` does not."""
        if self._first_word() in ("match", "case") and len(self._found) > self._line_first + 1:
            self._make_keyword(self._line_first)

    def _make_keyword(self, index: int) -> None:
        self._found[index] = Token(TokenKind.KEYWORD, self._found[index].span)

    def _open_literal(self, opening: str) -> None:
        prefix = opening.rstrip("\"'")
        is_raw = "r" in prefix.lower()
        literal = _Literal(opening[len(prefix) :], is_raw, self._depth)
        self._literals.append(literal)
        self._in_literal_text = True
        self._read_literal_text(literal, len(opening))

    def _read_literal_text(self, literal: _Literal, num_read: int = 0) -> None:
        """Text up to the next brace or quote, and what that makes of it."""
        pattern = LITERAL_TEXTS[literal.quote, literal.is_raw, literal.formats > 0]
        match = pattern.match(self._text, self._position + num_read)
        end = match.end() if match else self._position + num_read
        if self._text.startswith(literal.quote, end):
            self._emit(TokenKind.STRING, end + len(literal.quote))
            self._close_literal()
            return
        following = self._text[end : end + 1]
        if following not in ("{", "}"):
            self._emit(TokenKind.ERROR, end)  # the literal has no end
            self._close_literal()
            return
        if end > self._position:
            self._emit(TokenKind.STRING, end)
        self._pass_brace(literal, following)

    def _pass_brace(self, literal: _Literal, brace: str) -> None:
        if brace == "{":
            self._emit(TokenKind.PUNCTUATION, self._position + 1)
            self._depth += 1
            literal.base_depth = self._depth
            self._in_literal_text = False
        elif literal.formats:
            self._emit(TokenKind.PUNCTUATION, self._position + 1)
            self._leave_format(literal)
        else:
            self._emit(TokenKind.ERROR, self._position + 1)

    def _leave_format(self, literal: _Literal) -> None:
        literal.formats -= 1
        self._depth = max(literal.outer_depth, self._depth - 1)

    def _close_literal(self) -> None:
        self._depth = self._literals.pop().outer_depth
        self._in_literal_text = False

    def _ends_expression(self, literal: _Literal) -> bool:
        """Whether the expression of a replacement field ends here; reads what ends it."""
        character = self._text[self._position]
        if not NESTS_QUOTES and self._breaks_literal(literal, character):
            return True
        if self._depth > literal.base_depth or character not in "}:!":
            return False
        if character == "!":
            match = CONVERSION.match(self._text, self._position)
            if match:
                self._emit(TokenKind.PUNCTUATION, match.end())
            return match is not None
        self._emit(TokenKind.PUNCTUATION, self._position + 1)
        if character == ":":
            literal.formats += 1
        else:
            self._depth = max(literal.outer_depth, self._depth - 1)
        self._in_literal_text = True
        return True

    def _breaks_literal(self, literal: _Literal, character: str) -> bool:
        """Whether the literal ends in the middle of a field; before PEP 701 the first quote ends it."""
        if self._text.startswith(literal.quote, self._position):
            self._in_literal_text = True
            self._depth = literal.outer_depth
            return True
        if character in "\r\n" and len(literal.quote) == 1:
            self._close_literal()
            return True
        if character == "#":
            self._emit(TokenKind.ERROR, self._position + 1)
            return True
        return False


def _column(blanks: str) -> int:
    """The column behind leading white space, as CPython counts it: tabs to the next multiple of 8."""
    return len(blanks.rpartition("\f")[2].expandtabs(8))
