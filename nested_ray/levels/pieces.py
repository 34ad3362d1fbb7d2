"""Pieces: a file cut before every heading, so that what stands before a place can be read in steps.

Where a piece begins is decided by the text up to the end of its heading's name alone. So the
pieces that lie before a place are the same whether the file ends at the place (serving) or goes on
(training), and their outlines can be kept while the place moves on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile

from nested_ray.languages.base import Definition, Import, Language, Reference

NO_HEADING = -1
"""Indentation of the text before the first heading."""


@dataclass(frozen=True)
class PieceStart:
    offset: int
    indent: str | None
    """Blanks before the heading; None for the text before the first one."""


FILE_START = PieceStart(0, None)


@dataclass(frozen=True)
class ImportText:
    """An import statement and how it is written."""

    statement: Import
    text: str


@dataclass(frozen=True)
class Piece:
    """The outline of one piece, in its own order of appearance."""

    indent: int
    heading: str
    """Signature with the file's indentation; empty without a heading."""
    definitions: tuple[Definition, ...]
    imports: tuple[ImportText, ...]
    references: tuple[Reference, ...]
    inner_indent: int
    """Indentation that a line after this text is taken to have."""


def piece_starts(text: str, language: Language, after: PieceStart) -> Iterator[PieceStart]:
    """Pieces that begin behind `after`, in order."""
    marked = False
    for match in language.heading.finditer(text, after.offset):
        is_mark = bool(match.groupdict().get("mark"))
        is_new = match.start() > after.offset or after.indent is None
        if is_new and not marked:
            yield PieceStart(match.start(), match.group(1))
        marked = is_mark


def read_piece(text: str, indent: str | None, language: Language) -> Piece:
    """Outline one piece as if it stood alone, without the indentation of its heading."""
    dedented = dedent(text, indent)
    outline = language.outline(dedented)
    return Piece(
        indent=NO_HEADING if indent is None else len(indent),
        heading="" if indent is None else heading_of(dedented, indent, outline.definitions),
        definitions=outline.definitions,
        imports=tuple(
            ImportText(statement, one_line(dedented[statement.span.start : statement.span.end]))
            for statement in outline.imports
        ),
        references=outline.references,
        inner_indent=inner_indent(text),
    )


def dedent(text: str, indent: str | None) -> str:
    """Every line without the blanks before the heading."""
    return text.replace("\n" + indent, "\n")[len(indent) :] if indent else text


def heading_of(dedented: str, indent: str, definitions: tuple[Definition, ...]) -> str:
    """The outline's signature of the heading, or its line where broken text hides it."""
    for definition in definitions:
        if definition.kind != "variable":
            return indent + definition.signature
    line = next(iter(lines_below_marks(dedented)), "").rstrip()
    return indent + line if line else ""


def inner_indent(text: str) -> int:
    """The last line's indentation, one more where that line opens a block."""
    text = text.rstrip()
    last = text.rpartition("\n")[2]
    indent = len(last) - len(last.lstrip())
    is_heading = len(lines_below_marks(text)) == 1
    return indent + 1 if is_heading or last.endswith(":") else indent


def lines_below_marks(text: str) -> list[str]:
    """Lines from the heading's own on, without the decorators or directives above it."""
    return list(dropwhile(lambda line: line.lstrip().startswith(("@", "&")), text.split("\n")))


def one_line(text: str, max_chars: int = 200) -> str:
    return " ".join(text.split())[:max_chars]
