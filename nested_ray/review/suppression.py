"""Suppressions: comments that say a finding is known and meant.

`# nested-ray: ignore[rule]` silences its own line, or the next line when it stands alone on one;
`ignore-file[rule]` silences the file. Rules are ids or patterns, several by comma; without brackets
every rule is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import get_args

from nested_ray.analyzers.findings import Finding, Rule, Severity
from nested_ray.config.levels import LevelKind
from nested_ray.languages import get_language
from nested_ray.languages.base import Span, TokenKind
from nested_ray.repository.base import SourceFile
from nested_ray.review.lines import Lines

UNUSED = Rule(
    "review/unused-suppression",
    "A suppression comment silences nothing.",
    "The finding it was written for is gone, or its rule is spelled differently; remove the comment "
    "or correct it, so that it does not hide the next finding.",
    Severity.NOTE,
)
_MARK = "nested-ray:"
_WILDCARDS = re.compile(r"[*?\[]")
_DIRECTIVE = re.compile(r"nested-ray:[ \t]*(ignore-file|ignore)\b(?:[ \t]*\[([^\]\n]{0,500})\])?")


@dataclass
class Suppression:
    """One comment."""

    span: Span
    patterns: tuple[str, ...]
    """Empty: every rule."""
    lines: frozenset[int] | None
    """The lines it silences; None: the whole file."""
    used: set[str] = field(default_factory=set)
    """Which of its patterns silenced something; an empty pattern stands for every rule."""

    def silences(self, rule: str, line: int) -> bool:
        """Whether it covers a finding; remembered as used when it does."""
        if self.lines is not None and line not in self.lines:
            return False
        matching = {each for each in self.patterns or ("",) if _fits(rule, each)}
        self.used |= matching
        return bool(matching)


def _fits(rule: str, pattern: str) -> bool:
    # Remarks on the suppressions themselves are silenced only by name.
    if rule.startswith("review/") and not pattern.startswith("review/"):
        return False
    return not pattern or fnmatchcase(rule, pattern)


def read_suppressions(file: SourceFile, lines: Lines) -> list[Suppression]:
    """The suppressions in a file's comments; the same words inside a string are none."""
    if _MARK not in file.text:
        return []
    tokens = get_language(file.language).tokens(file.text)
    comments = [token.span for token in tokens if token.kind is TokenKind.COMMENT]
    return [found for span in comments for found in _read_comment(span, lines)]


def _read_comment(span: Span, lines: Lines) -> Iterator[Suppression]:
    for match in _DIRECTIVE.finditer(lines.text, span.start, span.end):
        patterns = tuple(part.strip() for part in (match[2] or "").split(",") if part.strip())
        place = Span(match.start(), match.end())
        covered = None if match[1] == "ignore-file" else _covered_lines(span, lines)
        yield Suppression(place, patterns, covered)


def _covered_lines(comment: Span, lines: Lines) -> frozenset[int]:
    """The comment's own line; the next one too when nothing stands before the comment."""
    number = lines.number_at(comment.start)
    before = lines.text[lines.line_start(number) : comment.start]
    return frozenset({number} if before.strip() else {number, number + 1})


def unused_suppressions(
    path: str, suppressions: Sequence[Suppression], rules: Sequence[Rule], levels: Sequence[str]
) -> Iterator[Finding]:
    """Suppressions of rules that were checked and found nothing.

    A pattern whose level was not asked, or that only a model's rule could fit, is not judged.
    """
    for suppression in suppressions:
        for pattern in suppression.patterns or ("",):
            if pattern not in suppression.used and _was_checked(pattern, rules, levels):
                yield Finding(
                    UNUSED.id, path, suppression.span, _unused_message(pattern),
                    UNUSED.severity, confidence=1.0,
                )  # fmt: skip


def _was_checked(pattern: str, rules: Sequence[Rule], levels: Sequence[str]) -> bool:
    if _names_no_rule(pattern):
        return True
    level = pattern.partition("/")[0]
    if pattern and not _WILDCARDS.search(level):
        return level in levels and any(_fits(rule.id, pattern) for rule in rules)
    return set(get_args(LevelKind)) <= set(levels)


def _names_no_rule(pattern: str) -> bool:
    """Ids have a level before a slash; a plain word fits none of them."""
    return bool(pattern) and "/" not in pattern and not _WILDCARDS.search(pattern)


def _unused_message(pattern: str) -> str:
    if not pattern:
        return "Nothing is found on the line that this suppression covers; remove it."
    if _names_no_rule(pattern):
        return f"No rule is called {pattern}; ids are written level/name, see --list-rules."
    return f"{pattern} finds nothing here; remove the suppression."
