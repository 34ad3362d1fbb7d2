"""One pass of analyzers and detectors over one version of a code base."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nested_ray.analyzers.base import Analyzer
from nested_ray.analyzers.findings import Finding, Rule
from nested_ray.repository.base import Repository
from nested_ray.review.detectors import Detector
from nested_ray.review.fingerprints import Found, locate, number, order_of
from nested_ray.review.lines import Lines
from nested_ray.review.policy import Policy
from nested_ray.review.scope import Scope
from nested_ray.review.suppression import (
    UNUSED,
    Suppression,
    read_suppressions,
    unused_suppressions,
)

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how much of it is done and how much there is."""


class Sources(dict[str, Lines]):
    """The lines of a repository's files, split when they are asked for; empty for other paths."""

    def __init__(self, repository: Repository) -> None:
        super().__init__()
        self._repository = repository

    def __missing__(self, path: str) -> Lines:
        file = self._repository.files.get(path)
        lines = self[path] = Lines(file.text if file is not None else "")
        return lines


@dataclass(frozen=True)
class Swept:
    """What one pass found, in order of path and place."""

    found: list[Found]
    suppressed: list[Found]


def sweep(
    repository: Repository,
    scope: Scope,
    policy: Policy,
    sources: Sources,
    *,
    analyzers: Sequence[Analyzer],
    detectors: Sequence[Detector] = (),
    renamed: Mapping[str, str] | None = None,
    on_progress: Progress = lambda what, done, total: None,
) -> Swept:
    """Every finding that the policy lets through, whatever its confidence, and what comments silence.

    `renamed` gives paths of this version the name they have in the version they are compared with.
    """
    findings = [
        policy.graded(finding)
        for finding in _findings(repository, scope, analyzers, detectors, on_progress)
        if policy.enables(finding.rule) and policy.covers(finding.path)
    ]
    judged = frozenset(scope.own).intersection(*(scope.of(each.level) for each in analyzers))
    comments = _comments(repository, sources, {each.path for each in findings} | judged)
    located = [
        replace(each, is_silenced=_is_silenced(each.finding, comments, sources))
        for each in locate(findings, repository, sources, renamed)
    ]
    unneeded = _unused(comments, judged, policy, analyzers, detectors)
    located += locate(unneeded, repository, sources, renamed)
    numbered = number(sorted(located, key=order_of))
    return Swept(
        [each for each in numbered if not each.is_silenced],
        [each for each in numbered if each.is_silenced],
    )


def _findings(
    repository: Repository,
    scope: Scope,
    analyzers: Sequence[Analyzer],
    detectors: Sequence[Detector],
    on_progress: Progress,
) -> Iterator[Finding]:
    for analyzer in analyzers:
        on_progress(f"{analyzer.level}: what can be proven", 0, None)
        yield from analyzer.analyze(repository, scope.of(analyzer.level))
    for detector in detectors:
        # A model takes seconds for a long file: say how far it is, and let whoever listens end it.
        for done, path in enumerate(sorted(scope.own)):
            on_progress(f"{detector.level}: what its model suspects", done, len(scope.own))
            yield from detector.suspect(repository, (path,))


def _comments(
    repository: Repository, sources: Sources, paths: Iterable[str]
) -> dict[str, list[Suppression]]:
    """Suppressions by path, of the files that have some."""
    read = {
        path: read_suppressions(repository.files[path], sources[path])
        for path in sorted(paths)
        if path in repository.files
    }
    return {path: found for path, found in read.items() if found}


def _is_silenced(
    finding: Finding, comments: Mapping[str, list[Suppression]], sources: Sources
) -> bool:
    line = sources[finding.path].number_at(finding.span.start)
    # All of them are asked: each one that fits is in use.
    return any([each.silences(finding.rule, line) for each in comments.get(finding.path, ())])


def _unused(
    comments: Mapping[str, list[Suppression]],
    judged: Collection[str],
    policy: Policy,
    analyzers: Sequence[Analyzer],
    detectors: Sequence[Detector],
) -> list[Finding]:
    if not policy.enables(UNUSED.id):
        return []
    rules: list[Rule] = [rule for each in (*analyzers, *detectors) for rule in each.rules]
    rules = [rule for rule in rules if policy.enables(rule.id)]
    levels = [analyzer.level for analyzer in analyzers]
    return [
        policy.graded(finding)
        for path, suppressions in comments.items()
        if path in judged and policy.covers(path)
        for finding in unused_suppressions(path, suppressions, rules, levels)
    ]
