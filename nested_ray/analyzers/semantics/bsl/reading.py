"""A text → a BslModule, when it parses."""

from __future__ import annotations

import re
from bisect import bisect_right

from nested_ray.analyzers.semantics.bsl.methods import Method, Parameter
from nested_ray.analyzers.semantics.bsl.module import BslModule
from nested_ray.analyzers.semantics.bsl.patterns import any_of, one
from nested_ray.languages.bsl.directives import Line, parse_directive
from nested_ray.languages.bsl.keywords import WORDS, Kind
from nested_ray.languages.bsl.lexer import Tokens, tokenize
from nested_ray.languages.bsl.parser import await_only_in_async, read

_CONDITIONS = {Line.IF, Line.ELSIF, Line.ELSE, Line.END_IF}
_MAX_ANNOTATION_TOKENS = 60
_AFTER_MARK = re.compile(
    b"(?<=" + any_of(Kind.DOT, Kind.AMPERSAND) + b")" + any_of(*WORDS), re.DOTALL
)
_HEAD = re.compile(any_of(Kind.PROCEDURE, Kind.FUNCTION) + one(Kind.NAME) + one(Kind.OPEN))
_TAIL = re.compile(any_of(Kind.END_PROCEDURE, Kind.END_FUNCTION))


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
