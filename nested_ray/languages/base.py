"""The Language protocol: what every language module answers about a text."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from re import Pattern
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of character offsets in a text."""

    start: int
    end: int


@dataclass(frozen=True)
class SyntaxIssue:
    """Where a text stops being valid, and why."""

    span: Span
    """The token that cannot stand there; empty at the end of the text."""
    message: str
    expected: tuple[str, ...] = ()
    """What could stand there instead, as written (`;`, `КонецЕсли`) or as a word for it (`name`)."""


class Validity(Enum):
    """What can be said of the beginning of a file."""

    VALID = "valid"
    """Parses as it stands."""
    INCOMPLETE = "incomplete"
    """Some continuation could make it parse."""
    INVALID = "invalid"
    """No continuation can repair it."""


@dataclass(frozen=True)
class Import:
    """One import statement. `module` is dotted, relative ones keep their leading dots."""

    module: str
    names: tuple[str, ...]
    """Names bound by the statement (aliases as bound), empty for a star import."""
    span: Span


@dataclass(frozen=True)
class Definition:
    """A function, method, class, procedure or module variable."""

    name: str
    kind: str
    """`function`, `method`, `class`, `procedure` or `variable`."""
    signature: str
    """Its heading on one line, as written: `async def send(self, request: Request) -> Response`."""
    span: Span
    """Heading to the end of the body."""
    parent: str | None = None
    """Name of the enclosing class or function."""
    exported: bool = True
    """Callable from other modules (BSL `Экспорт`; Python: no leading underscore)."""
    doc: str = ""
    """First line of its documentation."""


@dataclass(frozen=True)
class Reference:
    """A name that is used: `qualifier.name(...)`."""

    name: str
    qualifier: str | None
    offset: int
    is_call: bool


@dataclass(frozen=True)
class Outline:
    """What a file defines, imports and uses, in order of appearance; made from broken text too."""

    imports: tuple[Import, ...] = ()
    definitions: tuple[Definition, ...] = ()
    references: tuple[Reference, ...] = ()


class TokenKind(Enum):
    """What a token is, the same words for every language."""

    NAME = "name"
    KEYWORD = "keyword"
    NUMBER = "number"
    STRING = "string"
    """A whole literal, or a part of one around an interpolated expression; dates too."""
    OPERATOR = "operator"
    """What computes or compares, spelled with letters (`and`, `Не`) or without; `=` and `:=` that assign too."""
    PUNCTUATION = "punctuation"
    """Brackets, separators, dots, the `@` of a decorator; a backslash that joins lines, with the line end."""
    LAYOUT = "layout"
    """Python's line end, indent and dedent, where they mean something; a dedent is empty."""
    DIRECTIVE = "directive"
    """A preprocessor line."""
    COMMENT = "comment"
    ERROR = "error"
    """Characters that belong to no token."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token; white space between tokens belongs to none, byte order marks and zero-width spaces included."""

    kind: TokenKind
    span: Span


SymbolKind = Literal["parameter", "variable", "function", "class", "import", "label"]
ScopeKind = Literal["module", "class", "function", "comprehension"]


@dataclass(frozen=True)
class Symbol:
    """A name bound in a scope."""

    name: str
    kind: SymbolKind
    scope: int
    """Index into `SymbolTable.scopes`."""
    span: Span
    """The name where it is bound first."""


@dataclass(frozen=True)
class Use:
    """A plain name where it is read or bound; names behind a dot and keyword argument names are none."""

    name: str
    span: Span
    scope: int
    symbol: int | None
    """Index into `SymbolTable.symbols`; None when the file does not bind it (built in, or unresolved)."""
    is_write: bool
    """Whether the name is bound here: assigned, defined, imported, deleted, a parameter.

    So every symbol has a use that is written at its own span, and one that nobody reads has no other kind.
    """


@dataclass(frozen=True)
class Scope:
    """A stretch of text with names of its own."""

    kind: ScopeKind
    """`function` is also a lambda, a procedure."""
    name: str
    span: Span
    parent: int | None
    """Index into `SymbolTable.scopes`; None for the module."""


@dataclass(frozen=True)
class SymbolTable:
    """Scopes, what they bind and what uses it, in order of appearance; made from broken text too."""

    scopes: tuple[Scope, ...] = ()
    """The first one is the module."""
    symbols: tuple[Symbol, ...] = ()
    uses: tuple[Use, ...] = ()

    def scope_at(self, offset: int) -> int:
        """Index of the innermost scope around a character."""
        # Scopes nest and stand in order, so the last one that holds the offset is the innermost.
        found = 0
        for index, scope in enumerate(self.scopes):
            if scope.span.start > offset:
                break
            if offset < scope.span.end:
                found = index
        return found

    def visible(self, offset: int) -> list[Symbol]:
        """Symbols that a name at the character can mean, innermost scope first."""
        seen: dict[str, Symbol] = {}
        scope: int | None = self.scope_at(offset)
        start = scope
        while scope is not None:
            # Names of a class body are not visible inside its methods.
            if self.scopes[scope].kind != "class" or scope == start:
                for symbol in self.symbols:
                    if symbol.scope == scope:
                        seen.setdefault(symbol.name, symbol)
            scope = self.scopes[scope].parent
        return list(seen.values())


class Language(Protocol):
    """One language. Every method takes any string and ends in bounded time without raising."""

    name: str
    extensions: tuple[str, ...]
    line_comment: str
    """Prefix that makes the rest of a line a comment: `#`, `//`."""
    is_case_sensitive: bool
    heading: Pattern[str]
    """Where a definition begins, at the start of a line: group 1 is its indentation, a group `mark` has
    matched where it is a decorator or directive, which belongs to the heading below it."""

    @property
    def builtins(self) -> AbstractSet[str]:
        """Names known without a definition, as `fold` writes them."""
        ...

    def check(self, text: str) -> SyntaxIssue | None:
        """The first syntax error of a whole file; None when it parses."""
        ...

    def check_prefix(self, text: str) -> Validity:
        """Whether the beginning of a file can still become a valid file."""
        ...

    def outline(self, text: str) -> Outline:
        """Imports, definitions and references, as far as the text can be understood."""
        ...

    def fold(self, name: str) -> str:
        """The spelling under which equal names are equal; the name itself in a case-sensitive language."""
        ...

    def tokens(self, text: str) -> list[Token]:
        """Every token in order; with the white space between them they are the text, character for character."""
        ...

    def symbols(self, text: str) -> SymbolTable:
        """Scopes, bound names and uses, as far as the text can be understood."""
        ...

    def check_insert(self, prefix: str, text: str, suffix: str) -> bool:
        """Whether `prefix + text + suffix` parses; the same answer as `check`, made fast for one place asked often.

        What was learnt about prefix and suffix is kept, so that a completion inside a long module costs the
        block it stands in and not the module.
        """
        ...
