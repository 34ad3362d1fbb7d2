"""Tokens → what a module defines, imports and uses; made from broken text too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from nested_ray.languages.base import Definition, Import, Outline, Reference, Span
from nested_ray.languages.bsl.directives import Line, parse_directive
from nested_ray.languages.bsl.keywords import WORDS, Kind
from nested_ray.languages.bsl.lexer import Tokens

_HEADS = {Kind.PROCEDURE: Kind.END_PROCEDURE, Kind.FUNCTION: Kind.END_FUNCTION}
_ASYNC, _AMPERSAND, _OPEN, _CLOSE = Kind.ASYNC, Kind.AMPERSAND, Kind.OPEN, Kind.CLOSE
_TAILS = (Kind.END_PROCEDURE, Kind.END_FUNCTION)
_WORDS = frozenset(WORDS)
_SPACES = re.compile(r"\s+")
_MAX_SIGNATURE_CHARS = 2_000
_MAX_QUALIFIER_PARTS = 8
_MAX_ANNOTATION_TOKENS = 100


@dataclass
class _Scan:
    """One walk over the tokens."""

    tokens: Tokens
    imports: list[Import] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    declared: set[int] = field(default_factory=set)
    """Indices of names that are being declared, not used."""


def outline(tokens: Tokens) -> Outline:
    """Procedures and functions with the region they stand in, module variables, libraries, names."""
    scan = _Scan(tokens)
    index = 0
    while index < len(tokens.kinds):
        kind = tokens.kinds[index]
        if kind is Kind.DIRECTIVE:
            _read_directive(scan, index)
            index += 1
        elif kind in _HEADS and not _follows_dot(tokens, index):
            index = _read_method(scan, index)
        elif kind is Kind.VAR and not _follows_dot(tokens, index):
            index = _read_variables(scan, index)
        else:
            index += 1
    scan.references.extend(_references(tokens, scan.declared))
    return Outline(tuple(scan.imports), tuple(scan.definitions), tuple(scan.references))


def _follows_dot(tokens: Tokens, index: int) -> bool:
    return index > 0 and tokens.kinds[index - 1] is Kind.DOT


def _read_directive(scan: _Scan, index: int) -> None:
    directive = parse_directive(scan.tokens.spellings[index])
    if directive.line is Line.REGION:
        scan.regions.append(directive.argument)
    elif directive.line is Line.END_REGION and scan.regions:
        scan.regions.pop()
    elif directive.line is Line.USE:
        span = Span(scan.tokens.starts[index], scan.tokens.end(index))
        scan.imports.append(Import(directive.argument, (), span))


def _read_method(scan: _Scan, head: int) -> int:
    """Record the method whose keyword stands at `head`; the index to go on from."""
    tokens, kinds = scan.tokens, scan.tokens.kinds
    if head + 1 >= len(kinds) or kinds[head + 1] not in _WORDS:
        return head + 1
    heading_end, exported = _heading_end(tokens, head)
    scan.declared.update(range(head + 1, heading_end))
    body_end = _body_end(tokens, heading_end)
    first = first_token(tokens, head)
    begin = head - 1 if head and kinds[head - 1] is Kind.ASYNC else head
    scan.definitions.append(
        Definition(
            name=tokens.spellings[head + 1],
            kind="procedure" if kinds[head] is Kind.PROCEDURE else "function",
            signature=_one_line(tokens.text[tokens.starts[begin] : tokens.end(heading_end - 1)]),
            span=Span(tokens.starts[first], tokens.end(body_end - 1)),
            parent=scan.regions[-1] if scan.regions else None,
            exported=exported,
            doc=_leading_comment(tokens, first),
        )
    )
    return heading_end


def _heading_end(tokens: Tokens, head: int) -> tuple[int, bool]:
    """Index after `)` and `Экспорт`, and whether `Экспорт` is there."""
    depth = 0
    kinds = tokens.kinds
    for index in range(head + 2, len(kinds)):
        if kinds[index] is Kind.OPEN:
            depth += 1
        elif kinds[index] is Kind.CLOSE:
            depth -= 1
        elif kinds[index] in _HEADS or kinds[index] in _TAILS:
            return index, False
        if depth <= 0:
            is_exported = index + 1 < len(kinds) and kinds[index + 1] is Kind.EXPORT
            return index + 1 + is_exported, is_exported
    return len(kinds), False


def _body_end(tokens: Tokens, start: int) -> int:
    """Index after the closing keyword, or where another method begins."""
    for index in range(start, len(tokens.kinds)):
        kind = tokens.kinds[index]
        if (kind in _TAILS or kind in _HEADS) and not _follows_dot(tokens, index):
            return index + 1 if kind in _TAILS else max(start, first_token(tokens, index))
    return len(tokens.kinds)


def first_token(tokens: Tokens, head: int) -> int:
    """Index of the first annotation, directive or `Асинх` that belongs to the method at `head`."""
    kinds, first = tokens.kinds, head
    if first and kinds[first - 1] is _ASYNC:
        first -= 1
    while first > 0:
        begin = first - 1
        if kinds[begin] is _CLOSE:  # &Annotation("parameters")
            depth = 1
            lowest = max(0, begin - _MAX_ANNOTATION_TOKENS)
            while begin > lowest and depth:
                begin -= 1
                depth += (kinds[begin] is _CLOSE) - (kinds[begin] is _OPEN)
            begin -= 1
        if begin < 1 or kinds[begin - 1] is not _AMPERSAND or kinds[begin] not in _WORDS:
            return first
        first = begin - 1
    return first


def _read_variables(scan: _Scan, head: int) -> int:
    """Record module variables; those inside a method stay out of the outline."""
    tokens, kinds, index = scan.tokens, scan.tokens.kinds, head + 1
    is_local = bool(scan.definitions) and tokens.starts[head] < scan.definitions[-1].span.end
    while index < len(kinds) and kinds[index] in _WORDS:
        scan.declared.add(index)
        exported = index + 1 < len(kinds) and kinds[index + 1] is Kind.EXPORT
        if not is_local:
            scan.definitions.append(_variable(scan, head, index, exported))
        index += 1 + exported
        if index < len(kinds) and kinds[index] is Kind.COMMA:
            index += 1
        else:
            break
    return index


def _variable(scan: _Scan, head: int, index: int, exported: bool) -> Definition:
    tokens, name = scan.tokens, scan.tokens.spellings[index]
    keyword, suffix = tokens.spellings[head], tokens.spellings[index + 1] if exported else ""
    return Definition(
        name=name,
        kind="variable",
        signature=f"{keyword} {name} {suffix}".rstrip(),
        span=Span(tokens.starts[index], tokens.end(index + exported)),
        parent=scan.regions[-1] if scan.regions else None,
        exported=exported,
        doc=_leading_comment(tokens, first_token(tokens, head)),
    )


def _one_line(heading: str) -> str:
    kept = (line.split("//")[0] if '"' not in line else line for line in heading.splitlines())
    return _SPACES.sub(" ", " ".join(kept)).strip()[:_MAX_SIGNATURE_CHARS]


def _leading_comment(tokens: Tokens, index: int) -> str:
    """The first line with text of the comment directly above the token."""
    begin = tokens.end(index - 1) if index else 0
    lines = tokens.text[begin : tokens.starts[index]].split("\n")[:-1]
    comment: list[str] = []
    for line in reversed(lines):
        if not line.strip().startswith("//"):
            break
        comment.append(line.strip().lstrip("/").strip())
    return next((line for line in reversed(comment) if line), "")


def _references(tokens: Tokens, declared: set[int]) -> Iterator[Reference]:
    """Names that are used, with what stands before their dot."""
    kinds, spellings = tokens.kinds, tokens.spellings
    previous = Kind.END
    for index, kind in enumerate(kinds):
        after_dot = previous is Kind.DOT
        is_name = kind is Kind.NAME or (after_dot and kind in _WORDS)
        if is_name and index not in declared and previous not in (Kind.AMPERSAND, Kind.TILDE):
            following = kinds[index + 1] if index + 1 < len(kinds) else Kind.END
            qualifier = _qualifier(tokens, index) if after_dot else None
            is_call = following is Kind.OPEN
            yield Reference(spellings[index], qualifier, tokens.starts[index], is_call)
        previous = kind


def _qualifier(tokens: Tokens, index: int) -> str | None:
    """The dotted names before the dot: `А.Б` of `А.Б.Метод()`; None after a call or an index."""
    parts: list[str] = []
    while index >= 2 and tokens.kinds[index - 1] is Kind.DOT:
        if tokens.kinds[index - 2] not in _WORDS:
            return None
        index -= 2
        parts.append(tokens.spellings[index])
        if len(parts) > _MAX_QUALIFIER_PARTS:
            return None
    return ".".join(reversed(parts))
