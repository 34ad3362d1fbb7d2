"""The syntax analyzer: what is wrong with a text as a text, proven without a model."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from nested_ray.analyzers.findings import Finding, Fix, Rule
from nested_ray.analyzers.syntax.characters import Suspicion, find_suspicious
from nested_ray.analyzers.syntax.conflicts import Conflict, find_conflicts, keep_ours
from nested_ray.analyzers.syntax.recovery import further_issues
from nested_ray.analyzers.syntax.repair import Repair, Scorer, repair
from nested_ray.analyzers.syntax.rules import (
    CONFLICT_MARKER,
    INVALID_QUERY,
    INVALID_TEXT,
    RULES,
    SUSPICIOUS_CHARACTER,
)
from nested_ray.languages import Language, get_language
from nested_ray.languages.base import SyntaxIssue
from nested_ray.languages.bsl import Bsl
from nested_ray.repository.base import Repository

MAX_REPAIRS_PER_FILE = 3
"""Further errors are reported without a fix: each search may take a second or two."""
_MAX_EXPECTED = 12
_MAX_QUERY_CHARS = 5_000_000
"""In longer texts no queries are looked for."""


class SyntaxAnalyzer:
    """Judges every file by itself. A scorer ranks the repairs by what a model finds likely."""

    level: str = "syntax"
    rules: tuple[Rule, ...] = RULES

    def __init__(self, *, scorer: Scorer | None = None, with_fixes: bool = True) -> None:
        self._scorer = scorer
        self._max_repairs = MAX_REPAIRS_PER_FILE if with_fixes else 0

    def analyze(self, repository: Repository, paths: Collection[str]) -> Iterator[Finding]:
        """Findings in the files named, in order of path and place."""
        for path in sorted(paths):
            file = repository.files[path]
            yield from self.analyze_text(get_language(file.language), path, file.text)

    def analyze_text(self, language: Language, path: str, text: str) -> list[Finding]:
        """Findings in one text, in order of place."""
        suspicions = find_suspicious(language, text)
        issues: list[SyntaxIssue] = []
        conflicts: list[Conflict] = []
        first = language.check(text)
        if first:
            # In a file that parses, what looks like a conflict lies in a string or a comment.
            conflicts = find_conflicts(text)
            resolved = keep_ours(text, conflicts) if conflicts else text
            first = language.check(resolved) if conflicts else first
            if first and not _parses_when_cleaned(language, resolved, suspicions):
                issues = [first, *further_issues(language, resolved, first)]
        findings = [
            *(_conflict_finding(path, conflict) for conflict in conflicts),
            *(_suspicion_finding(path, suspicion) for suspicion in suspicions),
            *_query_findings(language, path, text),
            *self._invalid_findings(language, path, text, issues, may_repair=not conflicts),
        ]
        return sorted(findings, key=lambda finding: finding.span.start)

    def _invalid_findings(
        self,
        language: Language,
        path: str,
        text: str,
        issues: list[SyntaxIssue],
        *,
        may_repair: bool,
    ) -> Iterator[Finding]:
        for number, issue in enumerate(issues):
            repairs: list[Repair] = []
            if may_repair and number < self._max_repairs:
                repairs = repair(language, text, issue, scorer=self._scorer)
                may_repair = bool(repairs)  # else the next search would most likely fail as well
            yield _issue_finding(path, issue, repairs)


def _parses_when_cleaned(language: Language, text: str, suspicions: list[Suspicion]) -> bool:
    """Whether the deceiving characters are all that is wrong: then they are said once."""
    edits = tuple(edit for suspicion in suspicions if suspicion.fix for edit in suspicion.fix.edits)
    return bool(edits) and language.check(Fix("", edits).apply(text)) is None


def _issue_finding(path: str, issue: SyntaxIssue, repairs: list[Repair]) -> Finding:
    return Finding(
        INVALID_TEXT.id,
        path,
        issue.span,
        issue.message,
        INVALID_TEXT.severity,
        1.0,
        witness="; ".join([*_expectation(issue), *_other_repairs(repairs)]),
        fix=repairs[0].as_fix() if repairs else None,
    )


def _expectation(issue: SyntaxIssue) -> list[str]:
    if not issue.expected:
        return []
    more = " …" if len(issue.expected) > _MAX_EXPECTED else ""
    return [f"expected: {' '.join(issue.expected[:_MAX_EXPECTED])}{more}"]


def _other_repairs(repairs: list[Repair]) -> list[str]:
    if len(repairs) < 2:
        return []
    return [f"another repair: {repairs[1].description}"]


def _query_findings(language: Language, path: str, text: str) -> Iterator[Finding]:
    if not isinstance(language, Bsl) or len(text) > _MAX_QUERY_CHARS:
        return
    for query in language.queries(text):
        if query.issue is not None:
            yield Finding(
                INVALID_QUERY.id,
                path,
                query.issue.span,
                f"in a query: {query.issue.message}",
                INVALID_QUERY.severity,
                1.0,
                witness="; ".join(_expectation(query.issue)),
            )


def _conflict_finding(path: str, conflict: Conflict) -> Finding:
    return Finding(
        CONFLICT_MARKER.id,
        path,
        conflict.markers[0],
        "a merge conflict was left here; keep one version or join both",
        CONFLICT_MARKER.severity,
        1.0,
        witness=f"{len(conflict.markers)} marker lines",
    )


def _suspicion_finding(path: str, suspicion: Suspicion) -> Finding:
    return Finding(
        SUSPICIOUS_CHARACTER.id,
        path,
        suspicion.span,
        suspicion.message,
        SUSPICIOUS_CHARACTER.severity,
        suspicion.confidence,
        fix=suspicion.fix,
    )
