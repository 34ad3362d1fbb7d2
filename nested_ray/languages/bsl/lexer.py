"""BSL text → tokens, exact to the character: any text, and nothing of it is lost.

One regular expression finds a token together with the white space and comments before it.
Possessive quantifiers keep it linear on hostile input.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from nested_ray.languages.bsl.keywords import KEYWORDS, PUNCTUATION, Kind

_SPACE = r"[\s\ufeff\u200b]"
_LINE_END = r"(?:\r\n?|\n)"
_COMMENT = r"//[^\r\n]*+"
_TRIVIA = rf"{_SPACE}*+(?:{_COMMENT}{_SPACE}*+)*+"
_QUOTED = r'(?:[^"\r\n]|"")*+'
_SKIPPED = rf"[ \t\f]*+(?:{_COMMENT}|\#[^\r\n]*+)?"
# A string goes on where a line begins with `|`; empty, comment and
# preprocessor lines may stand in between.
_CONTINUATION = rf"(?:{_LINE_END}(?:{_SKIPPED}{_LINE_END})*+[ \t\f]*+\|{_QUOTED})*+"
_DELETED = (
    r"\#[ \t]*+(?i:удаление|delete)\b"
    r"(?:(?!\#[ \t]*(?i:конецудаления|enddelete))[\s\S])*+"
    r"(?:\#[ \t]*+(?i:конецудаления|enddelete)[^\r\n]*+)?"
)

_STRING = rf'"{_QUOTED}{_CONTINUATION}"'
_UNFINISHED_STRING = rf'"{_QUOTED}{_CONTINUATION}'
_SCAN = re.compile(
    rf"{_TRIVIA}("
    rf"[^\W\d]\w*+"
    rf"|[.,;()=\[\]+\-*%:?~&]"
    rf"|{_STRING}"
    rf"|\d++(?:\.\d*+)?"
    rf"|<[=>]?|>=?|/"
    rf"|'[^'\r\n]*+'"
    rf"|{_DELETED}"
    rf"|\#[^\r\n]*+"
    rf"|{_UNFINISHED_STRING}"
    rf"|'[^'\r\n]*+"
    rf"|[^\s]"
    rf"|\Z"  # else the end of a last comment would be searched for tokens
    rf")"
)
_UNFINISHED_END = re.compile(rf'"{_QUOTED}{_CONTINUATION}(?:{_LINE_END}{_SKIPPED})*+/?')
_DATE_DIGITS = (8, 12, 14)
_MAX_KNOWN_SPELLINGS = 30_000
_MAX_KNOWN_CHARS = 40


class _Kinds(dict[str, Kind]):
    """Kind by spelling, filled as spellings are met; forgets all of them when it is full."""

    def __missing__(self, spelling: str) -> Kind:
        kind = _classify(spelling)
        if len(spelling) <= _MAX_KNOWN_CHARS:
            if len(self) >= _MAX_KNOWN_SPELLINGS:
                self.clear()
            self[spelling] = kind
        return kind


def _classify(spelling: str) -> Kind:
    first = spelling[0]
    if first == '"':
        return Kind.STRING if _is_finished(spelling) else Kind.ERROR
    if first == "'":
        return Kind.DATE if _is_date(spelling) else Kind.ERROR
    if first == "#":
        return Kind.DIRECTIVE
    if first.isdecimal():
        return Kind.NUMBER
    if first == "_" or first.isalpha():
        return KEYWORDS.get(spelling.lower(), Kind.NAME)
    return PUNCTUATION.get(spelling, Kind.ERROR)


_KINDS = _Kinds()  # shared by all texts: the same spellings come again and again


def _is_finished(string: str) -> bool:
    """Whether the last line of a string that the scan found closes it: quotes inside come in pairs."""
    line_end = max(string.rfind("\n"), string.rfind("\r"))
    has_odd_quotes = string.count('"', line_end + 1) % 2 == 1
    return has_odd_quotes if line_end >= 0 else not has_odd_quotes


def _is_date(spelling: str) -> bool:
    num_digits = sum(character.isdecimal() for character in spelling)
    return len(spelling) > 1 and spelling.endswith("'") and num_digits in _DATE_DIGITS


@dataclass(frozen=True)
class Tokens:
    """The tokens of a text, without white space and comments."""

    text: str
    spellings: list[str]
    kinds: list[Kind]

    @cached_property
    def starts(self) -> list[int]:
        """Character offset of each token; found on demand, most valid texts never need it."""
        starts = [match.start(1) for match in _SCAN.finditer(self.text)]
        return starts[: len(self.spellings)]

    def end(self, index: int) -> int:
        return self.starts[index] + len(self.spellings[index])

    def pieces(self) -> Iterator[str]:
        """Tokens and what stands between them, in order; together they are the text."""
        position = 0
        for start, spelling in zip(self.starts, self.spellings, strict=True):
            if start > position:
                yield self.text[position:start]
            yield spelling
            position = start + len(spelling)
        if position < len(self.text):
            yield self.text[position:]


def tokenize(text: str) -> Tokens:
    """Every token of the text. Characters that belong to no token become ERROR tokens."""
    spellings: list[str] = _SCAN.findall(text)
    while spellings and not spellings[-1]:
        spellings.pop()  # the empty matches at the end of the text
    return Tokens(text, spellings, list(map(_KINDS.__getitem__, spellings)))


def find_kinds(*wanted: Kind) -> Callable[[Sequence[Kind]], list[int]]:
    """A search for tokens of these kinds: kinds → the indices where they stand."""
    # Among bytes a regular expression finds them many times faster than a loop does.
    pattern = re.compile(b"|".join(re.escape(bytes((kind,))) for kind in wanted))
    return lambda kinds: [match.start() for match in pattern.finditer(bytes(kinds))]


def could_end_string(text: str, start: int) -> bool:
    """Whether the unfinished string that begins at `start` could still be closed after the text."""
    return _UNFINISHED_END.fullmatch(text, start) is not None
