"""CodeReading: one file as its code tokens, its names and the statements they stand in."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property, lru_cache

from nested_ray.languages.base import Language, SymbolTable, Token, TokenKind, Use

SILENT = (TokenKind.COMMENT, TokenKind.LAYOUT, TokenKind.DIRECTIVE, TokenKind.ERROR)
"""Tokens that no slot stands in and no feature looks at."""

RECEIVERS = frozenset({"self", "cls"})
"""Their meaning is fixed by a convention that nobody gets wrong."""

HEADINGS = frozenset(
    {"def", "class", "процедура", "функция", "procedure", "function", "асинх", "async"}
)
ASSIGNING = frozenset({"=", "+=", "-=", "*=", "/=", ":="})
OPENING, CLOSING = frozenset("([{"), frozenset(")]}")

_PART = re.compile(r"[A-ZА-ЯЁ]+(?![a-zа-яё])|[A-ZА-ЯЁ]?[a-zа-яё]+|\d+|[^\W\d_]+")


@lru_cache(maxsize=65_536)
def name_parts(name: str) -> tuple[str, ...]:
    """`maxValue`, `max_value`, `МаксЗначение` → their words in lower case; the name itself if it has none."""
    return tuple(part.lower() for part in _PART.findall(name)) or (name.lower(),)


@dataclass(frozen=True)
class CodeReading:
    """What slots and their features are made from; positions count code tokens."""

    text: str
    language: Language
    tokens: tuple[Token, ...]
    """Code tokens: no comments, layout or directives."""
    words: tuple[str, ...]
    """Spelling of each token as the language folds it; every string literal is `""`."""
    lines: tuple[int, ...]
    """Line of each token."""
    depths: tuple[int, ...]
    """Open brackets around each token; a bracket itself has the depth outside."""
    statements: tuple[int, ...]
    """Where the statement of each token begins: a position."""
    table: SymbolTable
    use_at: dict[int, Use]
    """Names the symbol table knows, by position."""

    @cached_property
    def functions(self) -> tuple[int, ...]:
        """Outermost function scope of every scope; -1 outside of functions."""
        found: list[int] = []
        for index, scope in enumerate(self.table.scopes):
            outer = found[scope.parent] if scope.parent is not None else -1
            is_function = scope.kind == "function"
            found.append(index if outer < 0 and is_function else outer)
        return tuple(found)

    @cached_property
    def _function_starts(self) -> tuple[list[int], list[int]]:
        """First character of every outermost function, and its scope."""
        outermost = [index for index, found in enumerate(self.functions) if found == index]
        return [self.table.scopes[index].span.start for index in outermost], outermost

    def function_at(self, position: int) -> int:
        """The outermost function scope around a token; -1 outside of functions."""
        starts, outermost = self._function_starts
        offset = self.tokens[position].span.start
        at = bisect_right(starts, offset) - 1
        if at < 0 or offset >= self.table.scopes[outermost[at]].span.end:
            return -1
        return outermost[at]

    @cached_property
    def brackets(self) -> tuple[tuple[int, int], ...]:
        """The bracket that each token stands in (-1: none) and how many commas lie between."""
        found: list[tuple[int, int]] = []
        stack = [(-1, 0)]
        for position, word in enumerate(self.words):
            if word in CLOSING and len(stack) > 1:
                stack.pop()
            found.append(stack[-1])
            if word == ",":
                stack[-1] = (stack[-1][0], stack[-1][1] + 1)
            elif word in OPENING:
                stack.append((position, 0))
        return tuple(found)

    @cached_property
    def assignments(self) -> dict[int, int]:
        """By the beginning of a statement: the position of its assigning operator."""
        found: dict[int, int] = {}
        for position, word in enumerate(self.words):
            start = self.statements[position]
            if word in ASSIGNING and self.depths[position] == self.depths[start]:
                found.setdefault(start, position)
        return found

    @cached_property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        """Parameter names of the functions of this file, by folded name; not of names that repeat."""
        found: dict[str, tuple[str, ...]] = {}
        names = [self.language.fold(scope.name) for scope in self.table.scopes]
        by_scope: dict[int, list[str]] = defaultdict(list)
        for symbol in self.table.symbols:
            if symbol.kind == "parameter" and symbol.name not in RECEIVERS:
                by_scope[symbol.scope].append(self.language.fold(symbol.name))
        repeated = {name for name, count in Counter(names).items() if count > 1}
        for scope, parameters in by_scope.items():
            if names[scope] not in repeated:
                found[names[scope]] = tuple(parameters)
        return found

    @cached_property
    def positions(self) -> dict[int, list[int]]:
        """Where each symbol is used, by its index; in order."""
        found: dict[int, list[int]] = defaultdict(list)
        for position, use in self.use_at.items():
            if use.symbol is not None:
                found[use.symbol].append(position)
        return found

    def qualified_name(self, position: int) -> str:
        """Names of the scopes around a token: `Server.start`; empty at module level."""
        names: list[str] = []
        scope: int | None = self.table.scope_at(self.tokens[position].span.start)
        while scope is not None and self.table.scopes:
            found = self.table.scopes[scope]
            if found.kind in ("class", "function") and found.name:
                names.append(found.name)
            scope = found.parent
        return ".".join(reversed(names))

    def spelling(self, position: int) -> str:
        span = self.tokens[position].span
        return self.text[span.start : span.end]

    def word(self, position: int) -> str:
        """The folded spelling; empty outside of the file."""
        return self.words[position] if 0 <= position < len(self.words) else ""


def read_code(text: str, language: Language) -> CodeReading:
    """Tokens, symbols and statements of a text; one pass each."""
    everything = language.tokens(text)
    tokens, starts_line, lines = [], [], []
    line, offset, starts = 0, 0, True
    for token in everything:
        if token.kind in SILENT:
            starts = starts or token.kind in (TokenKind.LAYOUT, TokenKind.DIRECTIVE)
            continue
        line += text.count("\n", offset, token.span.start)
        offset = token.span.start
        tokens.append(token)
        lines.append(line)
        starts_line.append(starts)
        starts = False
    words = tuple(_word(text, token, language) for token in tokens)
    table = language.symbols(text)
    at = {token.span.start: position for position, token in enumerate(tokens)}
    uses = {at[use.span.start]: use for use in table.uses if use.span.start in at}
    return CodeReading(
        text=text,
        language=language,
        tokens=tuple(tokens),
        words=words,
        lines=tuple(lines),
        depths=bracket_depths(words),
        statements=statement_starts(
            tokens, words, starts_line, is_bsl_like=not language.is_case_sensitive
        ),
        table=table,
        use_at=dict(sorted(uses.items())),
    )


def _word(text: str, token: Token, language: Language) -> str:
    if token.kind is TokenKind.STRING:
        return '""'
    return language.fold(text[token.span.start : token.span.end])


def bracket_depths(words: tuple[str, ...]) -> tuple[int, ...]:
    depth, depths = 0, []
    for word in words:
        if word in CLOSING:
            depth = max(depth - 1, 0)
        depths.append(depth)
        if word in OPENING:
            depth += 1
    return tuple(depths)


def statement_starts(
    tokens: list[Token], words: tuple[str, ...], starts_line: list[bool], *, is_bsl_like: bool
) -> tuple[int, ...]:
    """Where the statement of each token begins: after a logical line, `;`, or BSL's `Тогда`."""
    starts, start = [], 0
    for position, word in enumerate(words):
        before = words[position - 1] if position else ""
        if starts_line[position] or before == ";":
            start = position
        elif is_bsl_like and position:
            is_keyword = tokens[position - 1].kind is TokenKind.KEYWORD
            ends_heading = (
                words[start] in HEADINGS and before in HEADING_ENDS and word not in EXPORTS
            )
            if ends_heading or (is_keyword and before in BLOCK_OPENERS):
                start = position
        starts.append(start)
    return tuple(starts)


EXPORTS = ("экспорт", "export")
HEADING_ENDS = (")", *EXPORTS)
BLOCK_OPENERS = frozenset(
    ["тогда", "цикл", "иначе", "попытка", "исключение", "then", "do", "else", "try", "except"]
)
"""Words of a language without line ends that a statement follows without `;`."""
