"""Blocks that are not closed: where the missing end belongs, by the indentation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nested_ray.analyzers.syntax.site import Change, Site
from nested_ray.analyzers.syntax.words import Word
from nested_ray.languages.base import TokenKind
from nested_ray.languages.bsl.keywords import KEYWORDS, SPELLINGS, Kind, as_written

_END_OF: dict[Kind, Kind] = {
    Kind.IF: Kind.END_IF,
    Kind.FOR: Kind.END_DO,
    Kind.WHILE: Kind.END_DO,
    Kind.TRY: Kind.END_TRY,
    Kind.PROCEDURE: Kind.END_PROCEDURE,
    Kind.FUNCTION: Kind.END_FUNCTION,
}
_CLAUSES = frozenset({Kind.ELSE, Kind.ELSIF, Kind.EXCEPT})
_METHOD_ENDS = frozenset({Kind.END_PROCEDURE, Kind.END_FUNCTION})
_MISMATCHED, _UNMATCHED = 0.5, 1.0
"""Nats: an end that stands under another column than its beginning closes the wrong block."""


@dataclass
class _Block:
    opener: Word
    kind: Kind
    column: int
    end_column: int | None = None
    """Column of the line that its end begins; None while it has none or shares a line."""
    is_closed: bool = False


def block_ends(site: Site) -> Iterator[Change]:
    """Ends of blocks, each on a line of its own after the last line that is indented deeper."""
    if site.language.name != "bsl":
        return
    for block in _blocks(site):
        if block.is_closed and block.end_column in (None, block.column):
            continue
        nats = _MISMATCHED if block.is_closed else _UNMATCHED
        yield _closing(site, block, _end_of_body(site, block), nats)


def _blocks(site: Site) -> list[_Block]:
    """Blocks that begin before the error, paired with their ends as the parser pairs them.

    An end may stand after the place that is shown: the parser reads on to where the error comes to light.
    """
    found: list[_Block] = []
    waiting: list[_Block] = []
    for index, word in enumerate(site.words):
        kind = KEYWORDS.get(word.folded) if word.kind is TokenKind.KEYWORD else None
        if index > site.index and kind in (Kind.PROCEDURE, Kind.FUNCTION, *_METHOD_ENDS):
            break
        if kind is None:
            continue
        if kind in _END_OF:
            waiting.append(_Block(word, kind, len(site.indent(word.start))))
            if index <= site.index:
                found.append(waiting[-1])
        elif kind in _END_OF.values() and waiting and _END_OF[waiting[-1].kind] is kind:
            block = waiting.pop()
            block.is_closed = True
            if not site.text[site.line_start(word.start) : word.start].strip():
                block.end_column = len(site.indent(word.start))
    return found


def _end_of_body(site: Site, block: _Block) -> int:
    """Start of the line after the last one that belongs to the block by its indentation."""
    start = after_body = site.line_end(block.opener.start) + 1
    while start < len(site.text):
        end = site.line_end(start)
        line = site.text[start:end]
        indent = len(line) - len(line.lstrip(" \t"))
        is_blank = not line.strip() or line.lstrip().startswith("//")
        if not is_blank:
            if indent <= block.column and not _is_clause(line):
                break
            after_body = end + 1
        start = end + 1
    return min(after_body, len(site.text))


def _is_clause(line: str) -> bool:
    first = line.split(maxsplit=1)[0].lower().rstrip(";")
    return KEYWORDS.get(first) in _CLAUSES


def _closing(site: Site, block: _Block, offset: int, nats: float) -> Change:
    kind = _END_OF[block.kind]
    is_english = SPELLINGS[block.kind].index(block.opener.folded) > 0
    usual = as_written(kind, is_english)
    known = site.habits.vocabulary.get(site.language.fold(usual))
    spelling = known.spelling if known else usual
    mark = "" if kind in _METHOD_ENDS else ";"
    text = f"{site.indent(block.opener.start)}{spelling}{mark}\n"
    if offset == len(site.text) and not site.text.endswith("\n"):
        text = "\n" + text
    return Change(offset, offset, text, nats, f"insert `{spelling}{mark}`")
