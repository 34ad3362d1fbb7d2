"""Where a Python text stops: in code, a comment, a string, or an unfinished block.

A light scan of strings, comments, brackets and line ends, just enough to know how a text that was
cut off anywhere could go on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PIECE = re.compile(
    r"""
    (?P<comment>\#[^\r\n]*)
    |(?P<string>
        \"\"\"(?:[^"\\]|\\(?s:.)|"(?!""))*+(?:\"\"\")
        |'''(?:[^'\\]|\\(?s:.)|'(?!''))*+(?:''')
        |"(?!"")(?:[^"\\\r\n]|\\(?:\r\n|(?s:.)))*+"
        |'(?!'')(?:[^'\\\r\n]|\\(?:\r\n|(?s:.)))*+')
    |(?P<triple>\"\"\"|''')
    |(?P<single>["'])
    |(?P<open>[(\[{])
    |(?P<close>[)\]}])
    |(?P<joined>\\(?:\r\n?|\n))
    |(?P<line_end>\r\n?|\n)
    """,
    re.VERBOSE,
)
_PREFIX = re.compile(r"(?<!\w)(?:[rR]?[bBfF]|[bBfF][rR]|[uUrR])\Z")
_FIRST_WORD = re.compile(r"[ \t\f]*([^\W\d]\w*|@)?")


@dataclass(frozen=True)
class OpenString:
    """A string without its end."""

    start: int
    """Offset of its quote."""
    quote: str
    prefix: str
    """Lower-case letters before the quote: `rb`, `f`."""


@dataclass(frozen=True)
class Ending:
    """How a text ends. `logical_lines` are (start, end) of the complete ones, line end included."""

    string: OpenString | None
    in_comment: bool
    logical_lines: tuple[tuple[int, int], ...]
    ends_with_colon: bool
    """Whether the last complete logical line opens a block."""
    last_string: str = ""
    """The complete string literal that the text ends with."""


def find_ending(text: str) -> Ending:
    """Scan the whole text once."""
    lines: list[tuple[int, int]] = []
    depth, line_start, last_code, colon = 0, 0, -1, False
    in_comment = False
    position, string_start = 0, -1
    for match in _PIECE.finditer(text):
        kind = match.lastgroup
        between = text[position : match.start()].rstrip()
        if between:
            last_code = match.start() - 1
            code_tail = between[-1]
        else:
            code_tail = text[last_code] if last_code >= 0 else ""
        position = match.end()
        string_start = match.start() if kind == "string" else -1
        in_comment = kind == "comment" and match.end() == len(text)
        if kind == "triple" or (kind == "single" and _reaches_end(text, match.start())):
            return Ending(_open_string(text, match.start(), match[0]), False, tuple(lines), colon)
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(depth - 1, 0)
        if kind in ("open", "close", "string", "single"):
            last_code = match.end() - 1
        elif kind == "line_end" and depth == 0:
            if last_code >= line_start:
                lines.append((line_start, match.end()))
                colon = (between[-1] if between else code_tail) == ":"
            line_start = match.end()
    last_string = (
        _literal(text, string_start) if position == len(text) and string_start >= 0 else ""
    )
    return Ending(None, in_comment, tuple(lines), colon, last_string)


def _reaches_end(text: str, start: int) -> bool:
    """Whether the unclosed string at `start` is on the last line (backslash line ends joined)."""
    body = re.compile(r"(?:[^\\\r\n]|\\(?:\r\n|(?s:.)|\Z))*+").match(text, start)
    return body is not None and body.end() == len(text)


def _open_string(text: str, start: int, quote: str) -> OpenString:
    return OpenString(start, quote, _prefix(text, start).lower())


def _literal(text: str, start: int) -> str:
    return _prefix(text, start) + text[start:]


def _prefix(text: str, start: int) -> str:
    prefix = _PREFIX.search(text, max(0, start - 3), start)
    return prefix[0] if prefix else ""


def close_blocks(text: str, ending: Ending) -> str:
    """The complete logical lines of a text, with what is missing to make them whole statements."""
    if not ending.logical_lines:
        return ""
    open_tries: list[tuple[int, bool]] = []  # (indent, still without a handler)
    indent, word = 0, ""
    for start, end in ending.logical_lines:
        first = _FIRST_WORD.match(text, start, end)
        word = (first[1] or "") if first else ""
        indent = first.start(1) - start if first and first[1] else 0
        while open_tries and open_tries[-1][0] > indent:
            open_tries.pop()
        if open_tries and open_tries[-1][0] == indent:
            if word in ("except", "finally"):
                open_tries[-1] = (indent, False)
            elif word != "else":
                open_tries.pop()
        if word == "try":
            open_tries.append((indent, True))
    start, end = ending.logical_lines[-1]
    margin = text[start : start + indent]
    closed = text[:end]
    if ending.ends_with_colon:
        closed += f"{margin} {'case _: pass' if word == 'match' else 'pass'}\n"
    elif word == "@":
        closed += f"{margin}def _(): pass\n"
    for try_indent, is_open in reversed(open_tries):
        if is_open:
            closed += f"{margin[:try_indent]}finally: pass\n"
    return closed
