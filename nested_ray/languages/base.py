"""The Language protocol: what every language module answers about a text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


@dataclass(frozen=True)
class Span:
    """Half-open range of character offsets in a text."""

    start: int
    end: int


@dataclass(frozen=True)
class SyntaxIssue:
    """Where a text stops being valid, and why."""

    span: Span
    message: str


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


class Language(Protocol):
    """One language. Every method takes any string and ends in bounded time without raising."""

    name: str
    extensions: tuple[str, ...]
    line_comment: str
    """Prefix that makes the rest of a line a comment: `#`, `//`."""

    def check(self, text: str) -> SyntaxIssue | None:
        """The first syntax error of a whole file; None when it parses."""
        ...

    def check_prefix(self, text: str) -> Validity:
        """Whether the beginning of a file can still become a valid file."""
        ...

    def outline(self, text: str) -> Outline:
        """Imports, definitions and references, as far as the text can be understood."""
        ...
