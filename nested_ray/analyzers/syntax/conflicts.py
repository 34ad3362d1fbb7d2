"""Merge conflict markers that were left in a file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nested_ray.languages.base import Span

_MARKER = re.compile(r"^(<{7}|\|{7}|={7}|>{7})(?=[ \n]|$)[^\n]*", re.MULTILINE)
_NOT_LINE_END = re.compile(r"[^\n]")
_FOLLOWING = {"<": "|=", "|": "=", "=": ">", ">": ""}


@dataclass(frozen=True)
class Conflict:
    """One place where two versions stand one after the other."""

    markers: tuple[Span, ...]
    """Lines of markers: ours begins, (base begins,) theirs begins, end."""

    @property
    def span(self) -> Span:
        return Span(self.markers[0].start, self.markers[-1].end)


def find_conflicts(text: str) -> list[Conflict]:
    """Complete conflicts, in order."""
    found: list[Conflict] = []
    current: list[Span] = []
    kind = ""
    for match in _MARKER.finditer(text):
        sign = match[1][0]
        if sign == "<":
            current = []
        elif not current or sign not in _FOLLOWING[kind]:
            current = []
            continue
        current.append(Span(*match.span()))
        kind = sign
        if sign == ">":
            found.append(Conflict(tuple(current)))
            current = []
    return found


def keep_ours(text: str, conflicts: list[Conflict]) -> str:
    """The text with all but the first version blanked, every character at its old place."""
    pieces: list[str] = []
    position = 0
    for conflict in conflicts:
        ours_start, ours_end = conflict.markers[0].end, conflict.markers[1].start
        pieces += [
            text[position : conflict.span.start],
            _blank(text[conflict.span.start : ours_start]),
            text[ours_start:ours_end],
            _blank(text[ours_end : conflict.span.end]),
        ]
        position = conflict.span.end
    return "".join([*pieces, text[position:]])


def _blank(text: str) -> str:
    return _NOT_LINE_END.sub(" ", text)
