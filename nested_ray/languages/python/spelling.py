"""How Python is spelled: the patterns and tables that its tokens are read with."""

from __future__ import annotations

import keyword
import re
import sys

from nested_ray.languages.base import TokenKind

NESTS_QUOTES = sys.version_info >= (3, 12)
"""Whether a replacement field may hold the quotes, comments and line ends of its literal (PEP 701)."""

_LINE_END = r"\r\n?|\n"
CODE = re.compile(
    rf"""
    (?P<blank>[ \t\f]++)
    |(?P<string>(?:[rR][bB]?|[bB][rR]?|[uU])?(?:"\"\"(?:[^"\\]|\\(?s:.)|"(?!""))*+"\"\"
        |'''(?:[^'\\]|\\(?s:.)|'(?!''))*+'''
        |"(?!"")(?:[^"\\\r\n]|\\(?:\r\n|(?s:.)))*+"|'(?!'')(?:[^'\\\r\n]|\\(?:\r\n|(?s:.)))*+'))
    |(?P<literal>(?:[fF][rR]?|[rR][fF])(?:"\"\"|'''|"|'))
    |(?P<unclosed>(?:[rR][bB]?|[bB][rR]?|[uU])?(?:(?:"\"\"|''')(?s:.)*+
        |["'](?:[^\\\r\n]|\\(?:\r\n|(?s:.)|\Z))*+))
    |(?P<word>(?:[A-Za-z_]|[^\x00-\x7f])(?:[A-Za-z0-9_]|[^\x00-\x7f])*+)
    |(?P<number>0[xX](?:_?[0-9a-fA-F])++|0[oO](?:_?[0-7])++|0[bB](?:_?[01])++
        |(?:[0-9](?:_?[0-9])*+(?:\.(?:[0-9](?:_?[0-9])*+)?)?|\.[0-9](?:_?[0-9])*+)
         (?:[eE][+-]?[0-9](?:_?[0-9])*+)?[jJ]?)
    |(?P<line_end>{_LINE_END})
    |(?P<comment>\#[^\r\n]*+)
    |(?P<joined>\\(?:{_LINE_END}))
    |(?P<open>[(\[{{])
    |(?P<close>[)\]}}])
    |(?P<punctuation>\.\.\.|->|[,;.:](?!=)|[,;.])
    |(?P<operator>\*\*=?|//=?|<<=?|>>=?|[-+*/%&|^@=<>!:]=|[-+*/%&|^@=<>~])
    |(?P<error>(?s:.))
    """,
    re.VERBOSE,
)
KINDS = {
    "string": TokenKind.STRING,
    "unclosed": TokenKind.ERROR,
    "number": TokenKind.NUMBER,
    "comment": TokenKind.COMMENT,
    "joined": TokenKind.PUNCTUATION,
    "open": TokenKind.PUNCTUATION,
    "close": TokenKind.PUNCTUATION,
    "punctuation": TokenKind.PUNCTUATION,
    "operator": TokenKind.OPERATOR,
    "error": TokenKind.ERROR,
}
OPERATOR_WORDS = frozenset({"and", "or", "not", "in", "is"})
KEYWORDS = frozenset(keyword.kwlist) - OPERATOR_WORDS
INDENT = re.compile(r"[ \t\f]*+")
CONVERSION = re.compile(r"!(?!=)[A-Za-z]*+")
_ESCAPED = r"\\N\{[^{}'\"\r\n]*+\}|\\(?:\r\n|(?![{}])(?s:.))|\\(?=[{}])"
_RAW_ESCAPED = r"\\(?:\r\n|(?![{}])(?s:.))|\\(?=[{}])"


def _literal_text(quote: str, *, is_raw: bool, in_format: bool) -> re.Pattern[str]:
    """What stands between the replacement fields of a literal."""
    escaped = _RAW_ESCAPED if is_raw else _ESCAPED
    braces = "" if in_format else r"|\{\{|\}\}"
    plain = rf"[^{quote[0]}\\{{}}{'' if len(quote) == 3 else chr(92) + 'r' + chr(92) + 'n'}]"
    lone_quotes = rf"|{quote[0]}(?!{quote[0] * 2})" if len(quote) == 3 else ""
    return re.compile(rf"(?:{plain}{lone_quotes}|{escaped}{braces})*+")


LITERAL_TEXTS = {
    (quote, is_raw, in_format): _literal_text(quote, is_raw=is_raw, in_format=in_format)
    for quote in ('"', "'", '"""', "'''")
    for is_raw in (False, True)
    for in_format in (False, True)
}
