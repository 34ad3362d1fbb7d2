"""Where a preprocessor line is missing or too many: guesses for a place to show, as in locate.py."""

from __future__ import annotations

from dataclasses import replace

from nested_ray.languages.bsl.directives import Line, parse_directive
from nested_ray.languages.bsl.keywords import Kind
from nested_ray.languages.bsl.layout import View
from nested_ray.languages.bsl.machine import Failure

_HEADS = (Kind.PROCEDURE, Kind.FUNCTION)


def unbalanced_directive(view: View, failure: Failure) -> Failure:
    """A preprocessor line too many or too few: where its like would have stood."""
    lines = [
        (index, parse_directive(view.tokens.spellings[index]).line)
        for index, kind in enumerate(view.tokens.kinds[: failure.index])
        if kind is Kind.DIRECTIVE
    ]
    place = None
    if failure.index >= len(view.tokens.kinds):
        place = _unclosed_directive(view, lines)
    elif view.kind(failure.index) is Kind.DIRECTIVE:
        line = parse_directive(view.tokens.spellings[failure.index]).line
        if line in (Line.END_REGION, Line.END_IF, Line.ELSE, Line.ELSIF):
            wanted = Line.END_REGION if line is Line.END_REGION else Line.END_IF
            # Regions follow one another: this one began where the last one ended.
            ends = [index for index, one in lines if one in (wanted, Line.IF, Line.ELSE)]
            begin = ends[-1] + 1 if ends else 0
            has_method = any(kind in _HEADS for kind in view.tokens.kinds[begin : failure.index])
            if has_method:
                number = view.line(failure.index) + 1
                spelling = view.tokens.spellings[failure.index].split()[0]
                opener = _OPENER_NAMES[wanted]
                message = f"expected {opener} for the `{spelling}` of line {number}"
                return replace(failure, place=begin, message=message)
    return replace(failure, place=place) if place is not None else failure


_OPENER_NAMES = {Line.END_REGION: "`#Область`/`#Region`", Line.END_IF: "`#Если`/`#If`"}


def _unclosed_directive(view: View, lines: list[tuple[int, Line]]) -> int | None:
    """The second of two equal lines, or the next beginning after the one that is not closed."""
    open_lines: dict[Line, list[int]] = {Line.IF: [], Line.REGION: []}
    for index, line in lines:
        if line in open_lines:
            open_lines[line].append(index)
        elif line in (Line.END_IF, Line.END_REGION):
            matching = open_lines[Line.IF if line is Line.END_IF else Line.REGION]
            if matching:
                matching.pop()
    still_open = [(indices[-1], line) for line, indices in open_lines.items() if indices]
    if not still_open:
        return None
    opened, kind = max(still_open, key=lambda one: one[0])
    spellings = view.tokens.spellings
    for near in (opened - 1, opened + 1):
        if view.kind(near) is Kind.DIRECTIVE and spellings[near] == spellings[opened]:
            return max(near, opened)
    following = (index for index, line in lines if index > opened and line is kind)
    return next((index for index in following if view.kind(index - 1) is not Kind.DIRECTIVE), None)
