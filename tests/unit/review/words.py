"""Small real analyzers that find what is easy to see, so that every expectation is counted by hand."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from nested_ray.analyzers.findings import Edit, Finding, Fix, Location, Rule, Severity
from nested_ray.languages.base import Span
from nested_ray.repository.base import Repository, SourceFile


def rule(rule_id: str, severity: Severity, *, is_learned: bool = False) -> Rule:
    return Rule(rule_id, f"{rule_id} was found.", "Take it out.", severity, is_learned=is_learned)


@dataclass
class WordAnalyzer:
    """Finds a word wherever it stands."""

    rule: Rule
    pattern: str
    confidence: float = 1.0
    is_fixed: bool = False

    @property
    def level(self) -> str:
        return self.rule.level

    @property
    def rules(self) -> tuple[Rule, ...]:
        return (self.rule,)

    def analyze(self, repository: Repository, paths: Collection[str]) -> Iterator[Finding]:
        for path in sorted(paths):
            for match in re.finditer(self.pattern, repository.files[path].text):
                span = Span(*match.span())
                fix = Fix(f"delete {match[0]}", (Edit(span, ""),)) if self.is_fixed else None
                yield Finding(
                    self.rule.id, path, span, f"{match[0]} stands here", self.rule.severity,
                    self.confidence, fix=fix,
                )  # fmt: skip

    suspect = analyze


@dataclass
class CallAnalyzer:
    """Calls with another number of arguments than the function in another file takes."""

    level: str = "semantics"
    rules: tuple[Rule, ...] = (rule("semantics/wrong-count", Severity.ERROR),)

    def analyze(self, repository: Repository, paths: Collection[str]) -> Iterator[Finding]:
        takes: dict[str, tuple[str, Span, int]] = {}
        for path, file in repository.files.items():
            for match in re.finditer(r"def (\w+)\((.*?)\)", file.text):
                count = len(match[2].split(",")) if match[2] else 0
                takes[match[1]] = (path, Span(*match.span()), count)
        for path in sorted(paths):
            for match in re.finditer(r"(?<!def )\b(\w+)\((.*?)\)", repository.files[path].text):
                home, span, count = takes.get(match[1], ("", Span(0, 0), -1))
                given = len(match[2].split(",")) if match[2] else 0
                if home and given != count:
                    yield Finding(
                        self.rules[0].id, path, Span(*match.span()),
                        f"{match[1]} takes {count}, not {given}", Severity.ERROR, 1.0,
                        related=(Location(home, span, "defined here"),),
                    )  # fmt: skip


BAD = rule("syntax/bad", Severity.ERROR)
ODD = rule("semantics/odd", Severity.WARNING)
UGLY = rule("architecture/ugly", Severity.NOTE)
GUESS = rule("semantics/guess", Severity.WARNING, is_learned=True)


def python(path: str, text: str) -> SourceFile:
    return SourceFile(path, "python", text)
