"""Repairs of what is not a token: indentation, and quotes that are not closed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nested_ray.analyzers.syntax.site import Change, Site

_MAX_LEVELS = 5
_LOOK_BACK_LINES = 40
_MAX_ENDS = 8
_MAX_QUOTES = 20
_REINDENT, _REINDENT_BLOCK, _PLACEHOLDER, _CLOSE_QUOTE = 3.0, 3.5, 6.0, 2.5
_BEHIND = " \t)]};,:."
"""What may stand behind a string on its line."""
_UNFINISHED = re.compile(r"""[rbfuRBFU]{0,2}(\"\"\"|'''|["'])""")


def reindentations(site: Site) -> Iterator[Change]:
    """The line of the error, alone or with what hangs on it, moved to an indentation in use above it."""
    if not site.has_layout:
        return
    start = site.line_start(site.issue.span.start)
    indent = site.indent(start)
    lines = site.text[:start].split("\n")[-_LOOK_BACK_LINES:]
    levels: list[str] = []
    for line in reversed(lines):
        level = line[: len(line) - len(line.lstrip(" \t"))]
        if line.strip() and level not in levels:
            levels.append(level)
    deeper = [levels[0] + "    "] if levels and levels[0] + "    " not in levels else []
    for rank, level in enumerate([*deeper, *levels[:_MAX_LEVELS]]):
        if level == indent:
            continue
        nats = 0.5 * rank
        description = "correct the indentation"
        yield Change(start, start + len(indent), level, _REINDENT + nats, description)
        yield _move_block(site, start, indent, level, _REINDENT_BLOCK + nats)
    if deeper:
        placeholder = f"{deeper[0]}pass\n"
        yield Change(start, start, placeholder, _PLACEHOLDER, "insert `pass`")


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
