"""Parts of a file that can be judged alone: from one top-level heading to the next."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from nested_ray.languages.base import Language, SyntaxIssue

_DIRECTIVE_LINE = re.compile(r"^[ \t]*#[ \t]*(\w+)[^\n]*", re.MULTILINE)
_REGIONS = frozenset({"область", "конецобласти", "region", "endregion"})
_IF, _END_IF = frozenset({"если", "if"}), frozenset({"конецесли", "endif"})
_ELSE = frozenset({"иначе", "иначеесли", "else", "elsif"})


@dataclass(frozen=True)
class Part:
    """A stretch of a file."""

    start: int
    end: int


@lru_cache(maxsize=4)
def part_starts(language: Language, text: str) -> tuple[int, ...]:
    """Offsets where top-level definitions begin, with the decorators or directives above them."""
    found: list[int] = [0]
    after_mark = False
    for match in language.heading.finditer(text):
        is_top = not match[1] or not language.is_case_sensitive  # BSL's methods never nest
        if is_top and not after_mark and match.start() > 0:
            found.append(match.start())
        if is_top:
            after_mark = bool(match.groupdict().get("mark"))
    return tuple(found)


def part_around(language: Language, text: str, issue: SyntaxIssue) -> Part:
    """The smallest part that, alone, has the same error at the same place; else the whole text."""
    for part in _candidates(part_starts(language, text), len(text), issue.span.start):
        if part == Part(0, len(text)):
            break
        found = language.check(alone(language, text[part.start : part.end]))
        if found and found.span.start + part.start == issue.span.start:
            return part
    return Part(0, len(text))


def _candidates(starts: tuple[int, ...], length: int, offset: int) -> Iterator[Part]:
    index = bisect_right(starts, offset) - 1
    ends = [*starts[1:], length]
    begins_at_error = starts[index] == offset
    if not begins_at_error:
        yield Part(starts[index], ends[index])
    # What was left open shows at the next heading.
    if index > 0:
        yield Part(starts[index - 1], ends[index])


def alone(language: Language, text: str) -> str:
    """The text with preprocessor lines blanked that have no partner in it, and those of regions.

    A region or a condition may begin in one part and end in another.
    """
    if language.line_comment == "#" or "#" not in text:
        return text
    pieces: list[str] = []
    position = 0
    for start, end in _lone_lines(text):
        pieces += [text[position:start], " " * (end - start)]
        position = end
    return "".join([*pieces, text[position:]])


def _lone_lines(text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    waiting: list[list[tuple[int, int]]] = []  # the lines of each condition that is open
    for line in _DIRECTIVE_LINE.finditer(text):
        word = line[1].lower()
        if word in _REGIONS:
            found.append(line.span())
        elif word in _IF:
            waiting.append([line.span()])
        elif word in _ELSE or word in _END_IF:
            if not waiting:
                found.append(line.span())
            elif word in _ELSE:
                waiting[-1].append(line.span())
            else:
                waiting.pop()
    return sorted([*found, *(span for lines in waiting for span in lines)])
