"""Rows and columns → character offsets of a text."""

from __future__ import annotations

import re
from bisect import bisect_right

from nested_ray.languages.base import Span

_LINE_END = re.compile(r"\r\n?|\n")
_BOM = "\ufeff"


class Places:
    """Offsets into one text for what counts in rows from 1, the way Python and its checkers do.

    A byte order mark at the start belongs to no column.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [int(text.startswith(_BOM)), *(m.end() for m in _LINE_END.finditer(text))]

    def offset(self, row: int, column: int) -> int:
        """Of a column in characters, from 0; rows and columns past the end give the end."""
        if row > len(self._starts):
            return len(self.text)
        return min(self._starts[row - 1] + column, len(self.text))

    def offset_of_byte(self, row: int, column: int) -> int:
        """Of a column in bytes of UTF-8, as `ast` counts."""
        start, end = self._starts[row - 1], self._starts[row] if row < len(self._starts) else None
        line = self.text[start : start + column] if end is None else self.text[start:end]
        if line.isascii():
            return start + column
        head = self.text[start:end].encode("utf-8", "surrogatepass")[:column]
        return start + len(head.decode("utf-8", "ignore"))

    def row(self, offset: int) -> int:
        """The row, from 1, that holds an offset."""
        return bisect_right(self._starts, offset) or 1

    def span(self, node: object) -> Span:
        """Where a node of the syntax tree stands."""
        row, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        end_row = getattr(node, "end_lineno", None) or row
        end_column = getattr(node, "end_col_offset", None) or column
        return Span(self.offset_of_byte(row, column), self.offset_of_byte(end_row, end_column))
