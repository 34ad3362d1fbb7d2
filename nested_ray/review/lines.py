"""Character offsets of one text as lines and columns, in the units that each format counts in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

from nested_ray.languages.base import Span


class Region(NamedTuple):
    """Half-open range of places; lines and columns start at 1."""

    start_line: int
    start_column: int
    end_line: int
    end_column: int


class Lines:
    """The lines of a text that ends them with `\\n` alone."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0]
        position = text.find("\n")
        while position >= 0:
            self._starts.append(position + 1)
            position = text.find("\n", position + 1)

    def __len__(self) -> int:
        return len(self._starts)

    def number_at(self, offset: int) -> int:
        """Number of the line that holds an offset, from 1; offsets outside are moved to the nearest end."""
        return bisect_right(self._starts, self._inside(offset))

    def line(self, number: int) -> str:
        """One line without its end; empty for a line that does not exist."""
        if not 1 <= number <= len(self):
            return ""
        end = self._starts[number] - 1 if number < len(self) else len(self.text)
        return self.text[self._starts[number - 1] : end]

    def line_start(self, number: int) -> int:
        """Offset of a line's first character."""
        return self._starts[number - 1]

    def numbers(self, span: Span) -> range:
        """The lines a span touches; the line after a span that ends with a line end is not one of them."""
        start, end = self._ordered(span)
        return range(self.number_at(start), self.number_at(max(start, end - 1)) + 1)

    def region(self, span: Span) -> Region:
        """Columns in characters (code points)."""
        return self._region(span, len)

    def utf16_region(self, span: Span) -> Region:
        """Columns in UTF-16 code units."""
        return self._region(span, utf16_length)

    def utf8_region(self, span: Span) -> Region:
        """Columns in UTF-8 bytes."""
        return self._region(span, utf8_length)

    def _region(self, span: Span, length_of: Callable[[str], int]) -> Region:
        start, end = self._ordered(span)
        return Region(*self._place(start, length_of), *self._place(end, length_of))

    def _place(self, offset: int, length_of: Callable[[str], int]) -> tuple[int, int]:
        number = self.number_at(offset)
        return number, length_of(self.text[self.line_start(number) : offset]) + 1

    def _ordered(self, span: Span) -> tuple[int, int]:
        start = self._inside(span.start)
        return start, max(start, self._inside(span.end))

    def _inside(self, offset: int) -> int:
        return min(max(offset, 0), len(self.text))


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf8_length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
