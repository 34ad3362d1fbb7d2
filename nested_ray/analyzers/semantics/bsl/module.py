"""One BSL module, read once: its methods, and its tokens in a form that rules can search.

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

from nested_ray.languages.base import Span
from nested_ray.languages.bsl.directives import Line, parse_directive
from nested_ray.languages.bsl.keywords import WORDS, Kind
from nested_ray.languages.bsl.lexer import Tokens, tokenize
from nested_ray.languages.bsl.parser import await_only_in_async, read

_CONDITIONS = {Line.IF, Line.ELSIF, Line.ELSE, Line.END_IF}
_MAX_ANNOTATION_TOKENS = 60


def any_of(*kinds: Kind) -> bytes:
    """A character class of token kinds, for patterns over `BslModule.kinds`."""
    return b"[" + b"".join(re.escape(bytes((kind,))) for kind in kinds) + b"]"


def one(kind: Kind) -> bytes:
    """One token kind, for patterns over `BslModule.kinds`."""
    return re.escape(bytes((kind,)))


_AFTER_MARK = re.compile(
    b"(?<=" + any_of(Kind.DOT, Kind.AMPERSAND) + b")" + any_of(*WORDS), re.DOTALL
)
_HEAD = re.compile(any_of(Kind.PROCEDURE, Kind.FUNCTION) + one(Kind.NAME) + one(Kind.OPEN))
_TAIL = re.compile(any_of(Kind.END_PROCEDURE, Kind.END_FUNCTION))
_BRACKET = re.compile(
    any_of(Kind.OPEN, Kind.CLOSE, Kind.COMMA, Kind.OPEN_INDEX, Kind.CLOSE_INDEX), re.DOTALL
)
_WORD = re.compile(r"[^\W\d]\w*")
_LINE_END = re.compile(r"\r\n?|\n")
_OPENERS = (Kind.OPEN, Kind.OPEN_INDEX)
CONTEXT_DIRECTIVES = {
    **dict.fromkeys(("наклиенте", "atclient"), "client"),
    **dict.fromkeys(("насервере", "atserver"), "server"),
    **dict.fromkeys(("насерверебезконтекста", "atservernocontext"), "server without context"),
    **dict.fromkeys(
        ("наклиентенасервере", "atclientatserver"),
        "client and server",
    ),
    **dict.fromkeys(
        ("наклиентенасерверебезконтекста", "atclientatservernocontext"),
        "client and server without context",
    ),
}
"""Compilation directives, folded → where the method runs."""


def _position(condition: tuple[int, Line]) -> int:
    return condition[0]


class Parameter(NamedTuple):
    name: str
    """As written."""
    token: int
    is_by_value: bool
    has_default: bool


@dataclass(frozen=True)
class Method:
    """A procedure or function; numbers are indices of tokens."""

    name: str
    """As written."""
    token: int
    is_function: bool
    is_exported: bool
    parameters: tuple[Parameter, ...]
    annotations: tuple[str, ...]
    """Folded: `насервере`."""
    body: int
    end: int
    """The closing keyword."""
    is_conditional: bool
    """Stands inside `#Если`: other methods may take its place."""

    @property
    def num_required(self) -> int:
        """Arguments that a call must reach: up to the last parameter without a default value."""
        required = [i for i, p in enumerate(self.parameters, start=1) if not p.has_default]
        return required[-1] if required else 0

    @property
    def context(self) -> str:
        """Where it runs by its directive; empty without one."""
        found = (CONTEXT_DIRECTIVES.get(name, "") for name in self.annotations)
        return next(filter(None, found), "")

    @property
    def is_extension(self) -> bool:
        """Takes the place of another method (`&Вместо`, `&После`) or is bound by an annotation."""
        return any(name not in CONTEXT_DIRECTIVES for name in self.annotations)


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


def read_module(text: str) -> BslModule | None:
    """The module, or None when it does not parse."""
    tokens = tokenize(text)
    reading = read(tokens)
    if reading.failure or reading.at_end:
        return None
    kinds = bytes(await_only_in_async(tokens.kinds))
    words = list(map(str.lower, tokens.spellings))
    kept: list[int] | None = None
    conditions: list[tuple[int, Line]] = []
    if Kind.DIRECTIVE in kinds:
        conditions = _conditions(tokens, kinds)
        kept = [index for index, kind in enumerate(kinds) if kind != Kind.DIRECTIVE]
        words = [words[index] for index in kept]
        kinds = kinds.replace(bytes((Kind.DIRECTIVE,)), b"")
    kinds = _AFTER_MARK.sub(bytes((Kind.NAME,)), kinds)
    module = BslModule(tokens, kinds, words, conditions=conditions, _kept=kept)
    _read_methods(module)
    return module


def _conditions(tokens: Tokens, kinds: bytes) -> list[tuple[int, Line]]:
    found: list[tuple[int, Line]] = []
    num_removed = 0
    index = kinds.find(Kind.DIRECTIVE)
    while index >= 0:
        line = parse_directive(tokens.spellings[index]).line
        if line in _CONDITIONS:
            found.append((index - num_removed, line))
        num_removed += 1
        index = kinds.find(Kind.DIRECTIVE, index + 1)
    return found


def _read_methods(module: BslModule) -> None:
    ends = [match.start() for match in _TAIL.finditer(module.kinds)]
    heads = list(_HEAD.finditer(module.kinds))
    if len(ends) != len(heads):  # a head in each branch of `#Если`, one body for both
        module.is_plain = False
        return
    inside = _conditional_stretches(module.conditions)
    for match, end in zip(heads, ends, strict=True):
        method = _read_method(module, match.start(), end, inside)
        if method is None:
            module.is_plain = False
            return
        module.methods.append(method)


def _conditional_stretches(conditions: list[tuple[int, Line]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    starts: list[int] = []
    for index, line in conditions:
        if line is Line.IF:
            starts.append(index)
        elif line is Line.END_IF and starts:
            start = starts.pop()
            if not starts:
                found.append((start, index))
    return found


def _read_method(
    module: BslModule, head: int, end: int, inside: list[tuple[int, int]]
) -> Method | None:
    name, opening = head + 1, head + 2
    arguments = module.arguments.get(opening)
    if arguments is None or arguments.close > end:
        return None
    body = arguments.close + 1
    is_exported = module.kinds[body] == Kind.EXPORT
    nearest = bisect_right(inside, (head, len(module.kinds))) - 1
    return Method(
        name=module.spelling(name),
        token=name,
        is_function=module.kinds[head] == Kind.FUNCTION,
        is_exported=is_exported,
        parameters=tuple(_parameters(module, opening, arguments.close)),
        annotations=tuple(_annotations(module, head)),
        body=body + is_exported,
        end=end,
        is_conditional=nearest >= 0 and head < inside[nearest][1],
    )


def _parameters(module: BslModule, opening: int, close: int) -> list[Parameter]:
    kinds = module.kinds
    found: list[Parameter] = []
    depth = 0
    for index in range(opening + 1, close):
        kind, before = kinds[index], kinds[index - 1]
        depth += (kind == Kind.OPEN) - (kind == Kind.CLOSE)
        if kind == Kind.NAME and not depth and before not in (Kind.AMPERSAND, Kind.EQUAL):
            is_by_value, has_default = before == Kind.VAL, kinds[index + 1] == Kind.EQUAL
            found.append(Parameter(module.spelling(index), index, is_by_value, has_default))
    return found


def _annotations(module: BslModule, head: int) -> list[str]:
    kinds, words = module.kinds, module.words
    index = head - 1
    if index >= 0 and kinds[index] == Kind.ASYNC:
        index -= 1
    found: list[str] = []
    while index > 0:
        if kinds[index] == Kind.NAME and kinds[index - 1] == Kind.AMPERSAND:
            found.append(words[index])
            index -= 2
        elif kinds[index] == Kind.CLOSE:
            start = kinds.rfind(Kind.AMPERSAND, max(0, index - _MAX_ANNOTATION_TOKENS), index)
            if start < 0:
                break
            found.append(words[start + 1])
            index = start - 1
        else:
            break
    return found
