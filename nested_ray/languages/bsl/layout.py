"""A text by tokens and lines: columns, first tokens, words that are keywords."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from nested_ray.languages.bsl.keywords import Kind
from nested_ray.languages.bsl.lexer import Tokens

_MAX_INDENT = 400


@dataclass(frozen=True)
class View:
    """A text by tokens and lines."""

    tokens: Tokens

    @cached_property
    def line_starts(self) -> list[int]:
        starts, position = [0], self.tokens.text.find("\n")
        while position >= 0:
            starts.append(position + 1)
            position = self.tokens.text.find("\n", position + 1)
        return starts

    def kind(self, index: int) -> Kind:
        return self.tokens.kinds[index] if 0 <= index < len(self.tokens.kinds) else Kind.END

    def line(self, index: int) -> int:
        """Number of the line the token begins on, from 0."""
        return bisect_right(self.line_starts, self.tokens.starts[index]) - 1

    def is_first(self, index: int) -> bool:
        """Whether the token is the first of its line."""
        start = self.line_starts[self.line(index)]
        return index == 0 or self.tokens.end(index - 1) <= start

    def column(self, index: int) -> int:
        """Column of the first character of the token's line, tabs as four."""
        start = self.line_starts[self.line(index)]
        line = self.tokens.text[start : min(self.tokens.starts[index], start + _MAX_INDENT)]
        return len(line[: len(line) - len(line.lstrip())].expandtabs(4))

    def is_word_here(self, index: int) -> bool:
        """Whether a keyword is one, and no name after a dot."""
        return self.kind(index - 1) not in (Kind.DOT, Kind.AMPERSAND, Kind.TILDE)
