"""FileReader: what can be known of a file from the text before a place."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nested_ray.languages.base import Language, Reference
from nested_ray.levels.base import Place
from nested_ray.levels.pieces import FILE_START, ImportText, Piece, dedent, piece_starts, read_piece

MAX_TAIL_CHARS = 3_000
"""Of the unfinished piece only this much is read, so one endless table costs no more than a page."""

FindLanguage = Callable[[str], Language | None]
"""The language module of a name; None when there is none."""

MAX_CACHED_CHARS = 4_000_000
"""A server answers for many files in turn, and an edit changes one piece of one of them."""

DOTTED_NAME = re.compile(r"(?<!\w)((?:[^\W\d]\w*\.)*)([^\W\d]\w*)([ \t]*\()?")
"""A name begins where no word goes on: otherwise every digit of a long number would be a start."""


@dataclass(frozen=True)
class FileView:
    """What stands before a place."""

    pieces: tuple[Piece, ...]
    """Finished pieces in order."""
    tail: Piece
    """The piece the place lies in, up to the last whole line."""
    tail_text: str
    """What the tail was read from, without the indentation of its heading."""
    line: str
    """The line of the place, up to it."""
    language: Language

    def imports(self) -> list[ImportText]:
        return [found for piece in (*self.pieces, self.tail) for found in piece.imports]

    def enclosing(self) -> list[Piece]:
        """Pieces whose heading encloses the place by its indentation, outermost first."""
        stack: list[Piece] = []
        for piece in (*self.pieces, self.tail):
            if piece.heading:
                close_blocks(stack, piece.indent)
                stack.append(piece)
        is_blank = not self.line.strip()
        close_blocks(stack, self.tail.inner_indent if is_blank else indent_of(self.line))
        return stack

    def defines(self, name: str) -> bool:
        """Whether the file itself has defined the name before the place."""
        name = self.language.fold(name)
        return any(
            self.language.fold(definition.name) == name
            for piece in (*self.pieces, self.tail)
            for definition in piece.definitions
        )

    def references_backwards(self) -> Iterator[Reference]:
        """Names used before the place, the nearest first."""
        yield from reversed(names_in_line(self.line))
        for piece in (self.tail, *reversed(self.pieces)):
            yield from reversed(piece.references)


def close_blocks(stack: list[Piece], indent: int) -> None:
    """Leave the blocks that a line with this indentation does not belong to."""
    while stack and stack[-1].indent >= indent:
        stack.pop()


def indent_of(line: str) -> int:
    return len(line) - len(line.lstrip())


def names_in_line(line: str) -> list[Reference]:
    """Names of an unfinished line, which no parser understands."""
    return [
        Reference(
            name=match[2],
            qualifier=match[1].rstrip(".") or None,
            offset=match.start(2),
            is_call=match[3] is not None,
        )
        for match in DOTTED_NAME.finditer(line)
    ]


class PieceCache:
    """Outlines of finished pieces, those read last, of at most `max_chars` of text together."""

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max_chars
        self._pieces: OrderedDict[tuple[str, str | None, str], Piece] = OrderedDict()
        self.num_chars = 0

    def read(self, text: str, indent: str | None, language: Language) -> Piece:
        """`read_piece`, or what it gave before."""
        key = text, indent, language.name
        if key in self._pieces:
            self._pieces.move_to_end(key)
            return self._pieces[key]
        piece = self._pieces[key] = read_piece(text, indent, language)
        self.num_chars += len(text)
        while self.num_chars > self._max_chars:
            (oldest, _, _), _ = self._pieces.popitem(last=False)
            self.num_chars -= len(oldest)
        return piece


class FileReader:
    """Reads the text before a place; cheap when the next place lies further on in the same file.

    The answer depends on the place alone: only pieces that more text cannot change are kept.
    """

    def __init__(self, find_language: FindLanguage) -> None:
        self._find_language = find_language
        self._cache = PieceCache(MAX_CACHED_CHARS)
        self._before, self._language = "", ""
        self._pieces: tuple[Piece, ...] = ()
        self._tail = FILE_START
        self._view: FileView | None = None

    def language(self, place: Place) -> Language | None:
        """The place's language module, if there is one."""
        return self._find_language(place.language)

    def read(self, place: Place) -> FileView | None:
        """None for a language without a module."""
        language = self.language(place)
        if language is None:
            return None
        if self._view is None or (self._before, self._language) != (place.before, place.language):
            self._move_to(place, language)
            self._view = self._look(place.before, language)
        return self._view

    def _move_to(self, place: Place, language: Language) -> None:
        before, start, pieces = place.before, self._tail, list(self._pieces)
        if place.language != self._language or not before.startswith(self._before):
            start, pieces = FILE_START, []
        for following in piece_starts(before, language, start):
            text = before[start.offset : following.offset]
            pieces.append(self._cache.read(text, start.indent, language))
            start = following
        self._before, self._language = before, place.language
        self._pieces, self._tail = tuple(pieces), start

    def _look(self, before: str, language: Language) -> FileView:
        line_start = max(before.rfind("\n") + 1, self._tail.offset)
        text = clip(before[self._tail.offset : line_start])
        tail = read_piece(text, self._tail.indent, language)
        return FileView(
            pieces=self._pieces,
            tail=tail,
            tail_text=dedent(text, self._tail.indent),
            line=before[line_start:],
            language=language,
        )


def clip(text: str, max_chars: int = MAX_TAIL_CHARS) -> str:
    """The heading's line and the last whole lines, each within `max_chars`."""
    if len(text) <= max_chars:
        return text
    heading = text[: text.find("\n") + 1][:max_chars]
    end = text[-max_chars:]
    return heading + end[end.find("\n") + 1 :]
