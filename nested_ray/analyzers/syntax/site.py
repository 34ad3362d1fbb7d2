"""The place of a syntax error with what the search for a repair needs to know about it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from nested_ray.analyzers.syntax.familiar import Familiar
from nested_ray.analyzers.syntax.words import Word, read_words
from nested_ray.languages.base import Language, SyntaxIssue, TokenKind

BEFORE, AFTER = 12, 2
"""Tokens around the error that may be touched: an error shows at or after its cause."""
_WRONG_BEFORE, _WRONG_AFTER = 3, 3
"""Tokens around the error that are no example of how the file is written."""


class Change(NamedTuple):
    """One edit of a text and how unlikely it is to be what was meant, in nats."""

    start: int
    end: int
    text: str
    nats: float
    description: str

    def apply(self, text: str) -> str:
        return text[: self.start] + self.text + text[self.end :]


@dataclass(frozen=True)
class Habits:
    """What is usual in the file, learnt once from all of it."""

    familiar: Familiar
    vocabulary: Mapping[str, Word]
    """Folded spelling to word: names, keywords and marks of the file."""
    line_starters: frozenset[str]
    """Folded spellings that mostly begin a line."""


@dataclass(frozen=True)
class Site:
    """An error in a text that is short enough to be checked many times."""

    language: Language
    text: str
    issue: SyntaxIssue
    habits: Habits

    @cached_property
    def words(self) -> list[Word]:
        return read_words(self.language, self.text)

    @cached_property
    def _ends(self) -> list[int]:
        return [word.end for word in self.words]

    @cached_property
    def index(self) -> int:
        """The first word that ends after the error begins; the number of words at the end."""
        return bisect_right(self._ends, self.issue.span.start)

    @cached_property
    def last(self) -> int:
        """The first word after the error, at most eight further."""
        end = bisect_right(self._ends, max(self.issue.span.end - 1, 0))
        return min(max(self.index, end), self.index + 8, len(self.words))

    @property
    def window(self) -> range:
        """Words that may be touched."""
        return range(max(self.index - BEFORE, 0), min(self.last + AFTER, len(self.words)))

    def distance(self, position: int) -> int:
        """Words between a position and the error."""
        if position < self.index:
            return self.index - position
        return max(position - self.last, 0)

    def surprise(self, start: int, end: int, instead: Sequence[Word]) -> float:
        """By how many nats the file's habits speak against the words in place of those from start to end."""
        before = self.words[max(start - 2, 0) : start]
        after = self.words[end : end + 2]
        nats = self.habits.familiar.nats
        return nats(before, [*instead, *after]) - nats(before, [*self.words[start:end], *after])

    def line_start(self, offset: int) -> int:
        return self.text.rfind("\n", 0, offset) + 1

    def line_end(self, offset: int) -> int:
        end = self.text.find("\n", offset)
        return len(self.text) if end < 0 else end

    def indent(self, offset: int) -> str:
        """White space at the start of the line around the offset."""
        line = self.text[self.line_start(offset) : self.line_end(offset)]
        return line[: len(line) - len(line.lstrip(" \t"))]

    @cached_property
    def has_layout(self) -> bool:
        """Whether line ends and indentation mean something in the language."""
        return any(word.kind is TokenKind.LAYOUT for word in self.words)


def learn_habits(
    words: Sequence[Word], vocabulary: Mapping[str, Word], text: str, issue: SyntaxIssue
) -> Habits:
    """Count what the file does, but for the place that is wrong."""
    starts: dict[str, int] = {}
    total: dict[str, int] = {}
    for word in words:
        total[word.folded] = total.get(word.folded, 0) + 1
        line_start = text.rfind("\n", max(word.start - 200, 0), word.start) + 1
        if not text[line_start : word.start].strip():
            starts[word.folded] = starts.get(word.folded, 0) + 1
    starters = frozenset(folded for folded, count in starts.items() if 2 * count > total[folded])
    wrong = bisect_right([word.end for word in words], issue.span.start)
    stretches = [words[: max(wrong - _WRONG_BEFORE, 0)], words[wrong + _WRONG_AFTER :]]
    return Habits(Familiar(stretches), vocabulary, starters)
