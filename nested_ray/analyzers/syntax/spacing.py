"""Where an inserted token is written and with which blanks around it."""

from __future__ import annotations

from collections.abc import Iterable

from nested_ray.analyzers.syntax.site import Change, Site
from nested_ray.analyzers.syntax.words import LINE_END, Word, read_words
from nested_ray.languages.base import TokenKind

_OPENERS, _CLOSERS = frozenset("([{."), frozenset(")]},;:.")


def spelled(site: Site, expected: Iterable[str]) -> list[Word]:
    """What a parser expects, as words; what stands for a whole class (`name`) is left out.

    A keyword is written as the file writes it.
    """
    found: list[Word] = []
    for text in expected:
        words = read_words(site.language, text)
        solid = [word for word in words if word.kind is not TokenKind.LAYOUT]
        if len(solid) == 1 and solid[0].kind not in (TokenKind.NAME, TokenKind.ERROR):
            found.append(site.habits.vocabulary.get(solid[0].folded, solid[0]))
    return found


def inserted(site: Site, gap: int, word: Word, nats: float) -> Change:
    """The change that writes a word before the word number `gap`."""
    left = site.words[gap - 1] if gap > 0 else None
    right = site.words[gap] if gap < len(site.words) else None
    start = left.end if left else 0
    end = right.start if right else len(site.text)
    if word.folded == LINE_END:
        return _line_break(site, start, end, nats)
    between = site.text[start:end]
    begins_line = left is not None and left.kind is TokenKind.LAYOUT
    crosses_line = "\n" in between
    if right and (begins_line or not left or (crosses_line and _starts_lines(site, word))):
        text = word.spelling + ("" if _is_tight(word, right) else " ")
        return Change(right.start, right.start, text, nats, _describe(word))
    text = ("" if left is None or _is_tight(left, word) else " ") + word.spelling
    if between.strip(" \t") or right is None or right.kind is TokenKind.LAYOUT:
        return Change(start, start, text, nats, _describe(word))
    text += "" if _is_tight(word, right) else " "
    return Change(start, end, text, nats, _describe(word))


def _describe(word: Word) -> str:
    return f"insert `{word.spelling}`"


def _starts_lines(site: Site, word: Word) -> bool:
    return word.folded in site.habits.line_starters


def _line_break(site: Site, start: int, end: int, nats: float) -> Change:
    if site.text[start:end].strip(" \t"):
        end = start
    return Change(start, end, "\n" + site.indent(start), nats, "break the line")


def _is_tight(left: Word, right: Word) -> bool:
    """Whether two neighbours are written without a blank between them."""
    if right.spelling[:1] in _CLOSERS or left.spelling in _OPENERS:
        return True
    is_callee = left.kind is TokenKind.NAME or left.spelling in (")", "]")
    return is_callee and right.spelling in ("(", "[")
