"""Preprocessor lines without their partner."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nested_ray.analyzers.syntax.site import Change, Site

_LINE = re.compile(r"^[ \t]*#[ \t]*(\w+)[^\n]*\n?", re.MULTILINE)
_END_OF = {"область": "КонецОбласти", "region": "EndRegion", "если": "КонецЕсли", "if": "EndIf"}
_PAIRED = {"конецобласти", "endregion", "конецесли", "endif"}
_MAX_PLACES = 40


def region_ends(site: Site) -> Iterator[Change]:
    """The end of a region or condition, before every other line of the preprocessor and at the end."""
    if site.language.name != "bsl":
        return
    lines = list(_LINE.finditer(site.text))
    missing = _unclosed([line[1].lower() for line in lines])
    if not missing:
        return
    opener = lines[missing[-1]]
    written = f"#{_END_OF[opener[1].lower()]}"
    places = [line.start() for line in lines if line.start() > opener.start()]
    for rank, offset in enumerate([len(site.text), *reversed(places[-_MAX_PLACES:])]):
        newline = "\n" if offset == len(site.text) and not site.text.endswith("\n") else ""
        text = f"{newline}\n{written}\n" if offset == len(site.text) else f"{written}\n\n"
        yield Change(offset, offset, text, 1.0 + 0.5 * rank, f"insert `{written}`")


def _unclosed(words: list[str]) -> list[int]:
    """Numbers of the lines that open something which no later line closes."""
    waiting: list[int] = []
    for number, word in enumerate(words):
        if word in _END_OF:
            waiting.append(number)
        elif word in _PAIRED and waiting and _END_OF[words[waiting[-1]]].lower() == word:
            waiting.pop()
    return waiting
