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
_ONE_LINE = re.compile(r"(?:[^\\\r\n]|\\(?:\r\n|(?s:.)|\Z))*+")
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
    last_string: str
    """The string literal that is the last token, when one is."""


def find_ending(text: str) -> Ending:
    """Scan the whole text once."""
    scan = _Scan(text)
    for match in _PIECE.finditer(text):
        scan.pass_code(match.start())
        kind, start = match.lastgroup, match.start()
        if kind == "triple" or (kind == "single" and _reaches_end(text, start)):
            return scan.ending(OpenString(start, match[0], _prefix(text, start).lower()))
        scan.take(kind, match)
    in_comment = scan.in_comment and scan.position == len(text)
    scan.pass_code(len(text))
    return scan.ending(None, in_comment)


class _Scan:
    """What is known at a position of the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.position = 0
        self.in_comment = False
        self._depth = 0
        self._line_start = 0
        self._last_code = -1
        self._last_string = ""
        self._lines: list[tuple[int, int]] = []
        self._ends_with_colon = False

    def pass_code(self, end: int) -> None:
        """Everything up to `end` that is no piece of its own: names, numbers, operators."""
        code = self._text[self.position : end].rstrip(" \t\f\\")
        if code.strip(" \t\f"):
            self._last_code = self.position + len(code) - 1
            self._last_string = ""

    def take(self, kind: str | None, match: re.Match[str]) -> None:
        self.position = match.end()
        self.in_comment = kind == "comment"
        if kind == "line_end":
            self._end_line(match.end())
        elif kind not in ("comment", "joined"):
            self._depth = max(0, self._depth + (kind == "open") - (kind == "close"))
            self._last_code = match.end() - 1
            prefix = _prefix(self._text, match.start())
            self._last_string = prefix + match[0] if kind == "string" else ""

    def _end_line(self, end: int) -> None:
        if self._depth:
            return
        if self._last_code >= self._line_start:
            self._lines.append((self._line_start, end))
            self._ends_with_colon = self._text[self._last_code] == ":"
        self._line_start = end
        self._last_string = ""

    def ending(self, string: OpenString | None, in_comment: bool = False) -> Ending:
        lines = tuple(self._lines)
        # A comment outside brackets is followed by the end of the statement.
        last_string = "" if in_comment and not self._depth else self._last_string
        return Ending(string, in_comment, lines, self._ends_with_colon, last_string)


def _reaches_end(text: str, start: int) -> bool:
    """Whether the unclosed string at `start` is on the last line (backslash line ends joined)."""
    body = _ONE_LINE.match(text, start)
    return body is not None and body.end() == len(text)


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
