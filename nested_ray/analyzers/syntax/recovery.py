"""Errors after the first one: only those that are certain.

After an error nothing is known of how the author went on, so the rest is not read as one text. A
top-level definition is judged alone; when it is invalid whatever came before, that is an error too.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace

from nested_ray.analyzers.syntax.parts import alone, part_starts
from nested_ray.languages.base import Language, Span, SyntaxIssue, TokenKind

MAX_CHARS = 5_000_000
"""In longer texts only the first error is reported."""
_MAX_FURTHER = 20
_CONDITION_LINE = re.compile(
    r"^[ \t]*#[ \t]*(?!(?:область|конецобласти|region|endregion)\b|\s)",
    re.MULTILINE | re.IGNORECASE,
)
_HOLDS_ANYTHING = frozenset({TokenKind.STRING, TokenKind.ERROR, TokenKind.COMMENT})


def further_issues(language: Language, text: str, first: SyntaxIssue) -> Iterator[SyntaxIssue]:
    """Certain errors of the definitions that begin after the first error's own."""
    if len(text) > MAX_CHARS:
        return
    starts = part_starts(language, text)
    begun = bisect_right(starts, first.span.start)
    if begun == len(starts):
        return
    in_strings = _inside_literals(language, text, starts[begun:])
    num_found = 0
    for start, end in zip(starts[begun:], [*starts[begun + 1 :], len(text)], strict=True):
        if start in in_strings or num_found == _MAX_FURTHER:
            continue
        issue = _certain_issue(language, text[start:end])
        if issue:
            num_found += 1
            span = Span(issue.span.start + start, issue.span.end + start)
            yield replace(issue, span=span)


def _certain_issue(language: Language, definition: str) -> SyntaxIssue | None:
    if language.line_comment != "#" and _CONDITION_LINE.search(definition):
        return None  # a condition may begin in one definition and end in another
    return language.check(alone(language, definition))


def _inside_literals(language: Language, text: str, starts: tuple[int, ...]) -> frozenset[int]:
    """Places inside a string or comment: what looks like a heading there is none."""
    tokens = [t for t in language.tokens(text) if t.kind in _HOLDS_ANYTHING]
    token_starts = [token.span.start for token in tokens]
    return frozenset(
        start
        for start in starts
        if (index := bisect_right(token_starts, start) - 1) >= 0
        and tokens[index].span.start < start < tokens[index].span.end
    )
