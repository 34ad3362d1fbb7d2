"""Which definition a place lies in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nested_ray.languages.base import Definition


class Enclosing:
    """The innermost function, method or class around ascending offsets; -1 at module level."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        scopes = [
            (definition.span.start, definition.span.end, index)
            for index, definition in enumerate(definitions)
            if definition.kind != "variable"
        ]
        self._waiting: Iterator[tuple[int, int, int]] = iter(sorted(scopes, key=lambda s: s[0]))
        self._next = next(self._waiting, None)
        self._open: list[tuple[int, int]] = []

    def of(self, offset: int) -> int:
        """`offset` must not be smaller than the one asked before."""
        while self._next is not None and self._next[0] <= offset:
            start, end, index = self._next
            self._close(start)
            self._open.append((end, index))
            self._next = next(self._waiting, None)
        self._close(offset)
        return self._open[-1][1] if self._open else -1

    def _close(self, offset: int) -> None:
        while self._open and self._open[-1][0] <= offset:
            self._open.pop()
