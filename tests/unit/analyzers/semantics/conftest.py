"""Repositories made of texts, and what the analyzer says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

import pytest

from nested_ray.analyzers.findings import Finding
from nested_ray.analyzers.semantics import SemanticsAnalyzer
from nested_ray.languages import get_language, language_of
from nested_ray.languages.base import Outline
from nested_ray.repository.base import Link, SourceFile

Analyze = Callable[..., list[Finding]]
MODULE = "src/CommonModules/Продажи/Ext/Module.bsl"


class TextRepository:
    """A Repository of texts; links are given, not found."""

    def __init__(self, texts: Mapping[str, str], links: tuple[Link, ...] = ()) -> None:
        self.files: dict[str, SourceFile] = {}
        for path in sorted(texts):
            language = language_of(path)
            assert language is not None
            self.files[path] = SourceFile(path, language.name, texts[path])
        self.links = links

    def outline(self, path: str) -> Outline:
        file = self.files[path]
        return get_language(file.language).outline(file.text)


@pytest.fixture
def analyze() -> Analyze:
    """Texts by path → findings in all of them, or in the one file called `only`."""

    def run(
        texts: Mapping[str, str] | str,
        *,
        links: tuple[Link, ...] = (),
        only: str | None = None,
        name: str = "code.py",
    ) -> list[Finding]:
        texts = {name: texts} if isinstance(texts, str) else texts
        repository = TextRepository(texts, links)
        return list(SemanticsAnalyzer().analyze(repository, [only] if only else list(texts)))

    return run


def rules_of(findings: list[Finding]) -> list[str]:
    """Names of the rules, without their level."""
    return [finding.rule.removeprefix("semantics/") for finding in findings]


def marked(text: str) -> tuple[str, list[str]]:
    """Fixture texts name the rule a line must be found by: `code  # ! rule` or `код // ! rule`.

    Gives the text without the marks (so that a remark cannot change a verdict) and `row rule`, sorted.
    """
    rows: list[str] = []
    expected: list[str] = []
    for number, row in enumerate(text.splitlines(), start=1):
        for mark in ("  # ! ", "  // ! "):
            if mark in row:
                row, _, names = row.partition(mark)
                expected += [f"{number} {name}" for name in names.split()]
        rows.append(row)
    return "\n".join(rows) + "\n", sorted(expected)


def found_in(text: str, findings: list[Finding]) -> list[str]:
    """`row rule` of each finding, sorted."""
    rows = ((text.count("\n", 0, f.span.start) + 1, f.rule) for f in findings)
    return sorted(f"{row} {rule.removeprefix('semantics/')}" for row, rule in rows)


def stem(path: str) -> str:
    return PurePosixPath(path).stem
