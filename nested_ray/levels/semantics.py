"""The semantics level adds the file: what it imports and defines, and what encloses the place."""

from __future__ import annotations

from nested_ray.languages.base import Language, SymbolTable
from nested_ray.levels.base import Place
from nested_ray.levels.pieces import Piece, one_line
from nested_ray.levels.reader import FileReader, FileView, clip

MAX_DEFINITIONS = 60
MAX_IMPORTS = 30
MAX_LINE_CHARS = 160
MAX_NAMES = 12
MAX_NAMES_CHARS = 600
"""Read for local names: each thousand more costs a place about half a millisecond."""


class SemanticsLevel:
    kind = "semantics"
    marker = "<|file|>"

    def __init__(self, reader: FileReader) -> None:
        self._reader = reader
        self._last: tuple[Place, str] | None = None

    def context(self, place: Place) -> str:
        """Earlier definitions, imports, the path and, nearest to the window, what encloses it.

        That is its headings with their parameters, and the names bound since the last of them.
        """
        # The level above asks for the same place next: contexts nest.
        if self._last is None or self._last[0] is not place:
            self._last = place, self._context(place)
        return self._last[1]

    def _context(self, place: Place) -> str:
        language = self._reader.language(place)
        view = self._reader.read(place)
        path = path_line(place.path, language)
        if view is None:
            return path
        enclosing = view.enclosing()
        lines = [
            *earlier_definitions(view, enclosing),
            *[found.text for found in view.imports()][-MAX_IMPORTS:],
            path,
            *[piece.heading[:MAX_LINE_CHARS] for piece in enclosing],
            *names_line(view, enclosing),
        ]
        return "\n".join(lines)


def names_line(view: FileView, enclosing: list[Piece]) -> list[str]:
    """Local names of the function around the place, as a comment, those bound last at the end."""
    if not any(piece is view.tail for piece in enclosing):
        return []
    heading = enclosing[-1].heading
    indent = heading[: len(heading) - len(heading.lstrip())] + "    "
    names = local_names(view.language.symbols(clip(view.tail_text, MAX_NAMES_CHARS)))[-MAX_NAMES:]
    line = f"{indent}{view.language.line_comment} {', '.join(names)}"
    return [line[:MAX_LINE_CHARS]] if names else []


def local_names(table: SymbolTable) -> list[str]:
    """Names bound in the functions of a text, without their parameters, by where they are bound first."""
    found = sorted(
        (symbol.span.start, symbol.name)
        for symbol in table.symbols
        if symbol.kind in ("variable", "import") and table.scopes[symbol.scope].kind == "function"
    )
    return [name for _, name in found]


def path_line(path: str, language: Language | None) -> str:
    """The path as a comment of the file's language."""
    return f"{language.line_comment if language else '#'} {path}"


def earlier_definitions(view: FileView, enclosing: list[Piece]) -> list[str]:
    """Headings and module variables before the place, as a skeleton of the file."""
    around = {id(piece) for piece in enclosing}
    lines: list[str] = []
    for piece in reversed((*view.pieces, view.tail)):
        if id(piece) not in around:
            lines.extend(reversed(skeleton(piece)))
        if len(lines) >= MAX_DEFINITIONS:
            break
    return lines[MAX_DEFINITIONS - 1 :: -1]


def skeleton(piece: Piece) -> list[str]:
    """The heading of a piece, or the variables of one without a heading."""
    if piece.heading:
        return [piece.heading[:MAX_LINE_CHARS]]
    return [
        one_line(definition.signature, MAX_LINE_CHARS)
        for definition in piece.definitions
        if definition.kind == "variable"
    ]
