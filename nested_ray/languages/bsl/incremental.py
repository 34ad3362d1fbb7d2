"""A module asked about again and again → answers that cost the method that changed.

The text is cut behind the lines that end a method. What a piece makes of the point it is read from is
remembered, so that of a module with one changed method only that method is read. Whatever the pieces
cannot decide is left to the whole text: the answers are always the same.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from nested_ray.languages.bsl.keywords import Kind
from nested_ray.languages.bsl.lexer import Tokens, tokenize
from nested_ray.languages.bsl.machine import Failure
from nested_ray.languages.bsl.parser import read_on
from nested_ray.languages.bsl.rules import Names
from nested_ray.languages.bsl.ways import Point, Reading, start_point

# No string, comment or date goes on over such a line; only text between `#Удаление` lines does.
# A `\r` alone is no cut: one character to look for makes the search five times as fast.
_METHOD_END = re.compile(
    r"\n[ \t]*+(?:конецпроцедуры|конецфункции|endprocedure|endfunction)\b", re.IGNORECASE
)
_DELETED = re.compile(r"#[ \t]*+(?:удаление|delete)", re.IGNORECASE)
_TAILS = (Kind.END_PROCEDURE, Kind.END_FUNCTION)
_NOT_KEYWORD_AFTER = (Kind.DOT, Kind.AMPERSAND, Kind.TILDE)
_MAX_CONDITION_LINES = 100  # of `#Если` that are open between two pieces
_MAX_REMEMBERED_CHARS = 4_000_000

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """The values asked for last, up to a number of characters of their keys; for many threads."""

    def __init__(self, max_chars: int = _MAX_REMEMBERED_CHARS) -> None:
        self._max_chars = max_chars
        self._values: OrderedDict[tuple[str, object], Value] = OrderedDict()
        self._num_chars = 0
        self._lock = Lock()

    def get(self, text: str, context: object = None) -> Value | None:
        """What is known of the text in the context."""
        with self._lock:
            value = self._values.get((text, context))
            if value is not None:
                self._values.move_to_end((text, context))
            return value

    def keep(self, value: Value, text: str, context: object = None) -> None:
        """Remember a value, and forget the oldest ones for it."""
        with self._lock:
            if (text, context) not in self._values:
                self._num_chars += len(text)
            self._values[text, context] = value
            while self._num_chars > self._max_chars:
                (forgotten, _), _ = self._values.popitem(last=False)
                self._num_chars -= len(forgotten)


@dataclass(frozen=True)
class Pieces:
    """A text cut behind its method ends: whole pieces, and the rest after the last cut."""

    whole: tuple[str, ...]
    rest: str
    has_deleted: bool = False
    """Whether text between `#Удаление` lines may hide a cut."""

    @property
    def first(self) -> str:
        return self.whole[0] if self.whole else self.rest


class _Piece(NamedTuple):
    """What one piece of text comes to, read from one point."""

    reading: Reading
    after: Point
    names: Names
    can_be_followed: bool
    """Whether its last token ends a method, so that nothing later looks back into it."""


class Verdict(Enum):
    """What pieces can say of a whole text."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    """The whole text has to be read."""


class Incremental:
    """Remembers the pieces of the modules that are being edited."""

    def __init__(self) -> None:
        self._cuts: Remembered[Pieces] = Remembered()
        self._pieces: Remembered[_Piece] = Remembered()

    def check_insert(self, prefix: str, text: str, suffix: str) -> Verdict:
        """Whether the three together are a module."""
        before, after = self._cut(prefix), self._cut(suffix)
        # What surrounds the insertion is one piece with it, up to the first method end behind it.
        middle = before.rest + text + after.first
        if before.has_deleted or after.has_deleted or _DELETED.search(middle):
            return Verdict.UNKNOWN
        following = (*after.whole[1:], after.rest) if after.whole else ()
        return self._verdict((*before.whole, middle, *following))

    def _verdict(self, texts: tuple[str, ...]) -> Verdict:
        point, names, piece = start_point(), Names(), None
        for text in texts:
            if piece is not None and not piece.can_be_followed:
                return Verdict.UNKNOWN
            piece = self._read(text, point)
            if not piece.reading.is_certain and not piece.reading.is_hopeless:
                return Verdict.UNKNOWN
            if piece.reading.failure is not None or names.absorb(piece.names):
                return Verdict.INVALID
            point = piece.after
        is_valid = piece is not None and piece.reading.at_end is None
        return Verdict.VALID if is_valid else Verdict.INVALID

    def read_end(self, text: str) -> tuple[Tokens, Reading] | None:
        """The tokens of the last piece of the beginning of a module, and what they come to.

        None where the whole text has to be read. A failure before the last piece has index -1.
        """
        pieces = self._cut(text)
        if pieces.has_deleted:
            return None
        point, names = start_point(), Names()
        for whole in pieces.whole:
            piece = self._read(whole, point)
            if not piece.reading.is_certain or not piece.can_be_followed:
                return None
            if piece.reading.failure is not None or names.absorb(piece.names):
                return tokenize(""), Reading(Failure(-1), None)
            point = piece.after
        tokens = tokenize(pieces.rest)
        reading, _ = read_on(point, tokens, names)
        return (tokens, reading) if reading.is_certain else None

    def _cut(self, text: str) -> Pieces:
        pieces = self._cuts.get(text)
        if pieces is None:
            pieces = _cut(text)
            self._cuts.keep(pieces, text)
        return pieces

    def _read(self, text: str, point: Point) -> _Piece:
        piece = self._pieces.get(text, point)
        if piece is None:
            tokens, names = tokenize(text), Names()
            reading, after = read_on(point, tokens, names)
            is_simple = sum(len(one.lines) for one in after.conditions) <= _MAX_CONDITION_LINES
            can_be_followed = is_simple and _ends_method(tokens.kinds)
            piece = _Piece(reading, after, names, can_be_followed)
            self._pieces.keep(piece, text, point)
        return piece


def _cut(text: str) -> Pieces:
    ends = (match.end() for match in _METHOD_END.finditer(text))
    bounds = [0, *(end for end in ends if end < len(text))]  # at the end the word may go on
    whole = tuple(text[start:end] for start, end in pairwise(bounds))
    return Pieces(whole, text[bounds[-1] :], _DELETED.search(text) is not None)


def _ends_method(kinds: list[Kind]) -> bool:
    """Whether the last token is the end of a method and no name after a dot."""
    if not kinds or kinds[-1] not in _TAILS:
        return False
    return len(kinds) < 2 or kinds[-2] not in _NOT_KEYWORD_AFTER
