"""What is too much: CPython's parser and its trees have costs that no real file comes near.

A file of one-letter statements takes 600 bytes of memory per character and 1.3 µs; before Python
3.12, a literal costs the product of its length and its replacement fields; the name of an imported
module costs memory by the square of its parts.
"""

from __future__ import annotations

import re
import sys

from nested_ray.languages.base import Span

MAX_CHARS = 2_000_000
"""Of a text that is compiled or made into a tree: at most 1.2 GB and 3 s for the compiler."""

_MAX_DOTS = (
    5_000  # in an expression CPython refuses 3,000 of them, in an import it stores every beginning
)
_DOTTED = re.compile(r"(?<![\w.])(?:\w++[\s\\]*+\.[\s\\]*+)++")
_MAX_FIELD_WORK = 3_000_000_000  # about 1.5 s
_MIN_FIELDS = 1_000
_LITERAL = re.compile(
    r"""(?<!\w)(?:[fF][rR]?|[rR][fF])(?:
        \"\"\"(?:[^"\\]|\\(?s:.)|"(?!""))*+
        |'''(?:[^'\\]|\\(?s:.)|'(?!''))*+
        |"(?:[^"\\\r\n]|\\(?:\r\n|(?s:.)))*+
        |'(?:[^'\\\r\n]|\\(?:\r\n|(?s:.)))*+)""",
    re.VERBOSE,
)


class TooMuch(Exception):
    """A text that the compiler is not asked about."""

    def __init__(self, span: Span, message: str) -> None:
        super().__init__(message)
        self.span = span


def too_much(text: str) -> TooMuch | None:
    """Why the compiler must not be asked; None when it may."""
    if len(text) > MAX_CHARS:
        message = f"too long to be checked: {len(text):,} characters, at most {MAX_CHARS:,}"
        return TooMuch(Span(MAX_CHARS, len(text)), message)
    return _long_name(text) or _crowded_literal(text)


def _long_name(text: str) -> TooMuch | None:
    if text.count(".") < _MAX_DOTS:
        return None
    for match in _DOTTED.finditer(text):
        if match[0].count(".") > _MAX_DOTS:
            return TooMuch(Span(*match.span()), "too many dots in one name")
    return None


def _crowded_literal(text: str) -> TooMuch | None:
    if sys.version_info >= (3, 12) or text.count("{") < _MIN_FIELDS:
        return None
    for match in _LITERAL.finditer(text):
        if match[0].count("{") * len(match[0]) > _MAX_FIELD_WORK:
            return TooMuch(Span(*match.span()), "too many replacement fields in one literal")
    return None
