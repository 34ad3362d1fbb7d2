"""What level 2 can prove about a repository without a model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from nested_ray.analyzers.findings import Finding, Rule
from nested_ray.analyzers.semantics.bsl.rules import bsl_findings
from nested_ray.analyzers.semantics.python.rules import python_findings
from nested_ray.analyzers.semantics.rules import RULES
from nested_ray.repository.base import Repository

_BY_LANGUAGE: dict[str, Callable[[Repository, Collection[str]], Iterator[Finding]]] = {
    "python": python_findings,
    "bsl": bsl_findings,
}


class SemanticsAnalyzer:
    """Names, calls, flow and contradictions, for Python and BSL.

    A file that does not parse gets no semantic findings: what its names mean is not certain.
    """

    level: str = "semantics"
    rules: tuple[Rule, ...] = RULES

    def analyze(self, repository: Repository, paths: Collection[str]) -> Iterator[Finding]:
        """Findings in the files named, in order of path and place."""
        by_language: dict[str, list[str]] = {}
        for path in sorted(set(paths)):
            file = repository.files.get(path)
            if file is not None:
                by_language.setdefault(file.language, []).append(path)
        found: list[Finding] = []
        for language, chosen in by_language.items():
            if language in _BY_LANGUAGE:
                found += _BY_LANGUAGE[language](repository, chosen)
        yield from sorted(found, key=lambda f: (f.path, f.span.start, f.span.end, f.rule))
