"""What rules ask of one BSL module: its methods, and its tokens in a form that can be searched.

Token kinds are kept as a byte string, one byte a token, so that a regular expression finds a pattern
of tokens in one pass of C code. Preprocessor lines are taken out and kept aside.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from nested_ray.analyzers.semantics.bsl.methods import Method
from nested_ray.analyzers.semantics.bsl.patterns import any_of
from nested_ray.languages.base import Span
from nested_ray.languages.bsl.directives import Line
from nested_ray.languages.bsl.keywords import Kind
from nested_ray.languages.bsl.lexer import Tokens

_BRACKET = re.compile(
    any_of(Kind.OPEN, Kind.CLOSE, Kind.COMMA, Kind.OPEN_INDEX, Kind.CLOSE_INDEX), re.DOTALL
)
_WORD = re.compile(r"[^\W\d]\w*")
_LINE_END = re.compile(r"\r\n?|\n")
_OPENERS = (Kind.OPEN, Kind.OPEN_INDEX)


class Arguments(NamedTuple):
    """The brackets of a call: index of the closing one, number of arguments between."""

    close: int
    number: int


@dataclass
class BslModule:
    """What the rules ask of one module that parses."""

    tokens: Tokens
    kinds: bytes
    """A `Kind` per token; words behind a dot or an ampersand are names."""
    words: list[str]
    """Folded spelling per token."""
    methods: list[Method] = field(default_factory=list)
    conditions: list[tuple[int, Line]] = field(default_factory=list)
    """`#Если` and what belongs to it, each with the token that follows."""
    is_plain: bool = True
    """False when preprocessor conditions cut through methods."""
    _kept: list[int] | None = None
    """Index in `tokens` of each token, when preprocessor lines were taken out."""

    def span(self, first: int, last: int | None = None) -> Span:
        """Characters from one token to the end of another."""
        last = first if last is None else last
        if self._kept is not None:
            first, last = self._kept[first], self._kept[last]
        return Span(self.tokens.starts[first], self.tokens.end(last))

    def spelling(self, index: int) -> str:
        """The token as written."""
        return self.tokens.spellings[index if self._kept is None else self._kept[index]]

    def source(self, first: int, last: int) -> str:
        """The text from one token to the end of another."""
        span = self.span(first, last)
        return self.tokens.text[span.start : span.end]

    def key(self, first: int, end: int) -> tuple[str, ...]:
        """Tokens as they compare: names whatever their case, literals as written."""
        return tuple(
            self.spelling(i) if self.kinds[i] == Kind.STRING else self.words[i]
            for i in range(first, end)
        )

    def row(self, index: int) -> int:
        """The line of a token, from 1."""
        return bisect_right(self._line_starts, self.span(index).start)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_END.finditer(self.tokens.text))]

    def conditions_between(self, first: int, last: int) -> list[tuple[int, Line]]:
        """Preprocessor conditions behind one token and not behind the other."""
        start = bisect_right(self.conditions, first, key=_position)
        return self.conditions[start : bisect_right(self.conditions, last, key=_position)]

    @cached_property
    def methods_by_name(self) -> dict[str, list[Method]]:
        found: dict[str, list[Method]] = {}
        for method in self.methods:
            found.setdefault(self.words[method.token], []).append(method)
        return found

    def shape(self, method: Method) -> tuple[str, ...]:
        """Folded names of a method's parameters."""
        return tuple(self.words[parameter.token] for parameter in method.parameters)

    @cached_property
    def num_of_shape(self) -> Counter[tuple[str, ...]]:
        """How many methods have the same names of parameters."""
        return Counter(map(self.shape, self.methods))

    @cached_property
    def words_in_strings(self) -> frozenset[str]:
        """Folded words of every string literal: methods are passed by name in them."""
        kinds, words = self.kinds, self.words
        literals = [words[i] for i, kind in enumerate(kinds) if kind == Kind.STRING]
        return frozenset(_WORD.findall("\n".join(literals)))

    @cached_property
    def arguments(self) -> dict[int, Arguments]:
        """By index of the opening bracket: one pass for all, nested ones too."""
        found: dict[int, Arguments] = {}
        open_: list[list[int]] = []  # index, number of commas
        for match in _BRACKET.finditer(self.kinds):
            index = match.start()
            kind = self.kinds[index]
            if kind == Kind.COMMA:
                if open_:
                    open_[-1][1] += 1
            elif kind in _OPENERS:
                open_.append([index, 0])
            elif open_:
                start, num_commas = open_.pop()
                is_empty = index == start + 1
                found[start] = Arguments(index, 0 if is_empty else num_commas + 1)
        return found

    @cached_property
    def opening(self) -> dict[int, int]:
        """Index of the opening bracket by that of the closing one."""
        return {arguments.close: start for start, arguments in self.arguments.items()}

    @cached_property
    def module_variables(self) -> frozenset[str]:
        """Names that `Перем` declares before the methods, folded."""
        end = self.methods[0].token if self.methods else len(self.kinds)
        return frozenset(
            self.words[i]
            for i in range(end)
            if self.kinds[i] == Kind.NAME and self.kinds[i - 1] in (Kind.VAR, Kind.COMMA)
        )


def _position(condition: tuple[int, Line]) -> int:
    return condition[0]
