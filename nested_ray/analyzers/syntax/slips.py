"""Slips that concern a whole line: habits of other languages, characters of a word processor."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nested_ray.analyzers.syntax.lookalikes import ASCII_FOR
from nested_ray.analyzers.syntax.site import Change, Site

_NATS = 1.5
_PLAIN = str.maketrans(ASCII_FOR)
_LINES = {
    "python": (
        (re.compile(r"\belse[ \t]+if\b"), "elif", "write `elif`"),
        (re.compile(r"^([ \t]*)(print|exec)[ \t]+(.*\S)"), r"\1\2(\3)", "call it with parentheses"),
        (re.compile(r"^([ \t]*)except[ \t]+([\w.]+)[ \t]*,[ \t]*(\w+)"), r"\1except \2 as \3", "write `as`"),
    ),
    "bsl": (
        (re.compile(r"(?i)\bиначе[ \t]+если\b"), "ИначеЕсли", "write `ИначеЕсли`"),
        (re.compile(r"(?i)\belse[ \t]+if\b"), "ElsIf", "write `ElsIf`"),
    ),
}  # fmt: skip
_MAX_LINE_CHARS = 2_000


def slips(site: Site) -> Iterator[Change]:
    """The line of the error as it is written in this language."""
    start, end = site.line_start(site.issue.span.start), site.line_end(site.issue.span.start)
    line = site.text[start:end]
    if len(line) > _MAX_LINE_CHARS:
        return
    plain = line.translate(_PLAIN)
    if plain != line:
        yield Change(start, end, plain, _NATS, "write plain quotes and dashes")
    for pattern, replacement, description in _LINES.get(site.language.name, ()):
        written = pattern.sub(replacement, line)
        if written != line:
            yield Change(start, end, written, _NATS, description)
