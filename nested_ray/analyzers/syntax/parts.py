"""Parts of a file that can be judged alone: from one top-level heading to the next."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from nested_ray.languages.base import Language, SyntaxIssue

_REGION_LINE = re.compile(
    r"^[ \t]*#[ \t]*(?:область|конецобласти|region|endregion)\b[^\n]*", re.IGNORECASE | re.MULTILINE
)
_BLANK = re.compile(r"[^\n]")


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
        found = language.check(alone(text[part.start : part.end]))
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


def alone(text: str) -> str:
    """The text with region lines blanked: a region may begin in one part and end in another."""
    if "#" not in text:
        return text
    return _REGION_LINE.sub(lambda line: _BLANK.sub(" ", line[0]), text)
