"""The semantics level adds the file: what it imports and defines, and what encloses the place."""

from __future__ import annotations

from nested_ray.languages.base import Language
from nested_ray.levels.base import Place
from nested_ray.levels.pieces import Piece, one_line
from nested_ray.levels.reader import FileReader, FileView

MAX_DEFINITIONS = 60
MAX_IMPORTS = 30
MAX_LINE_CHARS = 160


class SemanticsLevel:
    kind = "semantics"
    marker = "<|file|>"

    def __init__(self, reader: FileReader) -> None:
        self._reader = reader

    def context(self, place: Place) -> str:
        """Earlier definitions, imports, the path and, nearest to the window, what encloses it."""
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
        ]
        return "\n".join(lines)


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
