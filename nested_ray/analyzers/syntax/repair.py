"""A broken text → edits after which it parses, best first.

A best-first search over token edits at the error. What an edit costs is how seldom such a slip is made,
plus how much the result surprises someone who knows the file. Every candidate is parsed; what fails
further on in the text than before may be repaired by a second and a third edit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from nested_ray.analyzers.findings import Edit, Fix
from nested_ray.analyzers.syntax.differences import edits_between, num_equal
from nested_ray.analyzers.syntax.parts import Part, alone, part_around
from nested_ray.analyzers.syntax.search import search
from nested_ray.analyzers.syntax.site import Habits, Site, learn_habits
from nested_ray.analyzers.syntax.words import Word, read_words, spelled_like
from nested_ray.languages.base import Language, Span, SyntaxIssue, TokenKind
from nested_ray.languages.bsl.keywords import SPELLINGS, as_written

Scorer = Callable[[Sequence[str]], list[float]]
"""Natural log-likelihood of whole candidate texts; only differences between them count."""

MAX_CHARS = 2_000_000
"""Longer texts are not repaired."""
_MAX_OFFERED = 5
_HABIT_CHARS = 60_000
_MARKS = "()[]{},;:.="
_USUAL = {
    "python": (
        "def class if elif else for in while with as return import from not and or is try except",
    ),
    "bsl": tuple(
        " ".join(as_written(kind, is_english) for kind in SPELLINGS) for is_english in (False, True)
    ),
}
"""Words a repair may need in a file that has not used them yet, by the way of spelling them."""


@dataclass(frozen=True)
class Repair:
    """Edits after which the text parses, at least up to the next part of the file."""

    edits: tuple[Edit, ...]
    description: str
    score: float
    """Log-probability up to a constant; higher is better."""

    def as_fix(self) -> Fix:
        return Fix(self.description, self.edits)


def repair(
    language: Language, text: str, issue: SyntaxIssue, *, scorer: Scorer | None = None
) -> list[Repair]:
    """Repairs of the issue that `language.check` gave for the text, best first; each is proven to parse.

    Where later parts of the file have errors of their own, the text parses up to them. Takes at most a
    few seconds; empty when nothing was found in that time.
    """
    if len(text) > MAX_CHARS:
        return []
    part = part_around(language, text, issue)
    # What is wrong with a preprocessor line shows in the whole file only.
    body = text[part.start : part.end]
    body = body if part == Part(0, len(text)) else alone(language, body)
    shifted = replace(issue, span=Span(issue.span.start - part.start, issue.span.end - part.start))
    site = Site(language, body, shifted, habits_around(language, text, part, issue))
    proof = _Proof(language, text, part)
    found: list[Repair] = []
    for state in search(site):
        edits = edits_between(body, state.text, part.start)
        if proof.holds(edits) and len(found) < _MAX_OFFERED:
            found.append(Repair(edits, ", ".join(state.descriptions), -state.nats))
    return _rank(found, text, scorer) if scorer and found else found


def _rank(found: list[Repair], text: str, scorer: Scorer) -> list[Repair]:
    likelihoods = scorer([each.as_fix().apply(text) for each in found])
    scored = [
        replace(each, score=each.score + likelihood)
        for each, likelihood in zip(found, likelihoods, strict=True)
    ]
    return sorted(scored, key=lambda each: -each.score)


class _Proof:
    """Whether edits make a text parse; errors of other parts of the file do not count against them."""

    def __init__(self, language: Language, text: str, part: Part) -> None:
        self._language, self._text, self._part = language, text, part

    def holds(self, edits: Sequence[Edit]) -> bool:
        whole = Fix("", tuple(edits)).apply(self._text)
        issue = self._language.check(whole)
        if issue is None:
            return True
        elsewhere = self._issue_elsewhere
        if elsewhere is None:
            return False
        if issue.span.start < self._part.start:
            return issue.span == elsewhere.span
        return len(whole) - issue.span.start == len(self._text) - elsewhere.span.start

    @cached_property
    def _issue_elsewhere(self) -> SyntaxIssue | None:
        """The first error of the text without the part."""
        blank = re.sub(r"[^\n]", " ", self._text[self._part.start : self._part.end])
        rest = self._text[: self._part.start] + blank + self._text[self._part.end :]
        return self._language.check(rest)


def habits_around(language: Language, text: str, part: Part, issue: SyntaxIssue) -> Habits:
    """What the file does, learnt from the part and what stands around it."""
    start = max(min(part.start, issue.span.start) - _HABIT_CHARS, 0)
    start = text.find("\n", start) + 1 if start else 0
    stretch = text[start : issue.span.start + _HABIT_CHARS]
    shifted = replace(issue, span=Span(issue.span.start - start, issue.span.end - start))
    words = read_words(language, stretch)
    marks = [Word(mark, mark, mark, TokenKind.PUNCTUATION, 0, 0) for mark in _MARKS]
    vocabulary = spelled_like(words)
    ways = [read_words(language, usual) for usual in _USUAL.get(language.name, ("",))]
    usual = max(ways, key=lambda way: sum(word.folded in vocabulary for word in way))
    return learn_habits(words, spelled_like([*marks, *usual]) | vocabulary, stretch, shifted)


def in_context(score: Callable[[str, Sequence[str]], Sequence[float]]) -> Scorer:
    """A scorer of whole texts from one of continuations: `score(prefix, continuations)`.

    The candidates are split where they begin to differ, at the start of that line, and end two lines
    after they are the same again.
    """

    def score_texts(texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        num_shared = min(num_equal(texts[0], text) for text in texts)
        start = texts[0].rfind("\n", 0, num_shared) + 1
        rests = [text[start:] for text in texts]
        backwards = [rest[::-1] for rest in rests]
        num_same = min(num_equal(backwards[0], rest) for rest in backwards)
        cut = [_two_lines_on(rest, len(rest) - num_same) for rest in rests]
        return list(score(texts[0][:start], cut))

    return score_texts


def _two_lines_on(text: str, offset: int) -> str:
    end = offset
    for _ in range(2):
        following = text.find("\n", end)
        end = len(text) if following < 0 else following + 1
    return text[:end]
