"""Repairs of what is not a token: indentation, and quotes that are not closed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nested_ray.analyzers.syntax.site import Change, Site

_MAX_LEVELS = 5
_LOOK_BACK_LINES = 40
_MAX_ENDS = 8
_MAX_QUOTES = 20
_REINDENT, _PLACEHOLDER, _CLOSE_QUOTE = 2.5, 6.0, 2.5
_PER_BLANK = 0.25
_ONE_LINE_OF_MANY, _ONE_LINE_ALONE = -0.5, 1.5
"""A block is moved rather than its first line when its second one stands in the same column."""
_BEHIND = " \t)]};,:."
"""What may stand behind a string on its line."""
_UNFINISHED = re.compile(r"""[rbfuRBFU]{0,2}(\"\"\"|'''|["'])""")


def reindentations(site: Site) -> Iterator[Change]:
    """The line of the error, alone or with what hangs on it, moved to an indentation in use above it."""
    if not site.has_layout:
        return
    start = site.line_start(site.issue.span.start)
    indent = site.indent(start)
    levels = _levels_above(site, start)
    deeper = [levels[0] + "    "] if levels and levels[0] + "    " not in levels else []
    for level in [*deeper, *levels[:_MAX_LEVELS]]:
        if level == indent:
            continue
        nats = _REINDENT + _PER_BLANK * abs(len(level) - len(indent))
        yield Change(start, start + len(indent), level, nats, "correct the indentation")
        yield _move_block(site, start, indent, level, nats)
    if deeper:
        placeholder = f"{deeper[0]}pass\n"
        yield Change(start, start, placeholder, _PLACEHOLDER, "insert `pass`")


def _levels_above(site: Site, start: int) -> list[str]:
    """Indentations of the lines above, the nearest first."""
    lines = site.text[:start].split("\n")[-_LOOK_BACK_LINES:]
    levels: list[str] = []
    for line in reversed(lines):
        level = _blanks(line)
        if line.strip() and level not in levels:
            levels.append(level)
    return levels


def _blanks(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _move_block(site: Site, start: int, indent: str, level: str, nats: float) -> Change:
    """The line and all below it that are indented as much or more."""
    end, moved = start, []
    while end < len(site.text):
        line_end = site.line_end(end)
        line = site.text[end:line_end]
        if line.strip() and not line.startswith(indent):
            break
        moved.append(level + line[len(indent) :] if line.strip() else line)
        end = line_end + 1
    following = [line for line in moved[1:] if line.strip()]
    is_level = bool(following) and _blanks(following[0]) == level
    nats += _ONE_LINE_OF_MANY if is_level else _ONE_LINE_ALONE
    text = "\n".join(moved) + ("\n" if end <= len(site.text) else "")
    end = min(end, len(site.text))
    return Change(start, end, text, nats, "correct the indentation of the block")


def closing_quotes(site: Site) -> Iterator[Change]:
    """The quote that ends an unfinished string: at the end of its line, or before what closes around it."""
    opening = _UNFINISHED.match(site.text, site.issue.span.start)
    if opening is None:
        return
    if len(opening[1]) == 3:
        yield from _closing_earlier(site, opening[1])
    end = site.line_end(opening.end())
    first = opening.end() + len(site.text[opening.end() : end].rstrip(_BEHIND))
    places = [first, *range(end, first, -1)][:_MAX_ENDS]
    for rank, offset in enumerate(dict.fromkeys(places)):
        nats = _CLOSE_QUOTE + 0.5 * rank
        yield Change(offset, offset, opening[1], nats, f"close the string with `{opening[1]}`")


def _closing_earlier(site: Site, quote: str) -> Iterator[Change]:
    """A long string that was left open begins where the quotes before it stop to pair."""
    places = [match.end() for match in re.finditer(re.escape(quote), site.text)]
    for rank, place in enumerate(reversed(places[-_MAX_QUOTES:])):
        end = site.line_end(place)
        if quote not in site.text[place:end]:
            nats = _CLOSE_QUOTE + 0.5 * rank
            yield Change(end, end, quote, nats, f"close the string with `{quote}`")
