"""The review: files, and perhaps what changed in them → what is worth saying."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nested_ray.analyzers.base import Analyzer
from nested_ray.analyzers.findings import Finding, Rule, Severity
from nested_ray.config.review import ReviewConfig
from nested_ray.languages.base import Span
from nested_ray.repository.base import Repository, SourceFile
from nested_ray.repository.index import IndexedRepository, open_repository
from nested_ray.repository.metadata import MetadataText
from nested_ray.review.baseline import Baseline
from nested_ray.review.change import Change
from nested_ray.review.detectors import Detector
from nested_ray.review.fingerprints import Found, number, order_of
from nested_ray.review.merging import merge, spend_budget
from nested_ray.review.novelty import new_findings, touches_change
from nested_ray.review.policy import Policy
from nested_ray.review.report import Remark, ReviewReport
from nested_ray.review.scope import Scope, scope_of_base, scope_of_change
from nested_ray.review.suppression import UNUSED
from nested_ray.review.sweep import Progress, Sources, Swept, sweep

UNREADABLE = Rule(
    "review/unreadable",
    "A file could not be read as text, so nothing in it was reviewed.",
    "It is binary, in an unknown encoding, or too large; save it as UTF-8, or name it under `exclude`.",
    Severity.WARNING,
)
OWN_RULES = (UNREADABLE, UNUSED)


@dataclass(frozen=True)
class Unread:
    """A file that belongs to the review but has no text."""

    path: str
    reason: str


@dataclass(frozen=True)
class Reviewers:
    """Who looks at the code."""

    analyzers: Sequence[Analyzer]
    detectors: Sequence[Detector] = ()
    base_analyzers: Sequence[Analyzer] | None = None
    """Look at the base of a change, where fixes are not needed; default: the analyzers."""

    @property
    def levels(self) -> tuple[str, ...]:
        """Every level that was asked, in order."""
        return tuple(dict.fromkeys(each.level for each in (*self.analyzers, *self.detectors)))

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule that can be posted."""
        asked = [rule for each in (*self.analyzers, *self.detectors) for rule in each.rules]
        return tuple({rule.id: rule for rule in (*asked, *OWN_RULES)}.values())

    @cached_property
    def learned(self) -> frozenset[str]:
        """Ids of the rules that only suspect."""
        return frozenset(rule.id for rule in self.rules if rule.is_learned)


def review(
    files: Iterable[SourceFile],
    *,
    config: ReviewConfig,
    reviewers: Reviewers,
    change: Change | None = None,
    paths: Collection[str] | None = None,
    metadata: Sequence[MetadataText] = (),
    unread: Sequence[Unread] = (),
    baseline: Baseline | None = None,
    cache_dir: Path | None = None,
    on_progress: Progress = lambda what, done, total: None,
) -> ReviewReport:
    """Review a code base, or with a `change` what was done to it.

    `files` is the whole code base, for findings are made in its light; `paths` are the files that
    findings may lie in (default: all); `metadata` is what a scan found of XML. With a change only what it is the cause of is posted.
    Touches no disk but `cache_dir`, and no git. Raises ConfigError for a wrong pattern in the config.
    """
    pass_ = _Pass(Policy(config), reviewers, cache_dir, on_progress)
    repository = pass_.index(files, metadata)
    sources = Sources(repository)
    asked = repository.files.keys() if paths is None else repository.files.keys() & frozenset(paths)
    if change is None:
        swept = pass_.sweep(repository, Scope(asked, asked, asked), sources)
        fresh, num_files = swept.found, len(asked)
    else:
        swept, fresh = pass_.sweep_change(repository, change, sources)
        num_files = len(asked & change.lines.keys())
    fresh = [each for each in fresh if each.finding.path in asked]
    num_unrelated = pass_.count(each for each in swept.found if each.finding.path in asked)
    num_unrelated -= pass_.count(fresh)
    return _report(
        pass_,
        [*fresh, *pass_.unread(unread)],
        [each for each in swept.suppressed if each.finding.path in asked],
        baseline=baseline,
        num_unrelated=num_unrelated,
        num_files=num_files,
        sources=sources,
    )


@dataclass(frozen=True)
class _Pass:
    """What stays the same while one review runs."""

    policy: Policy
    reviewers: Reviewers
    cache_dir: Path | None
    on_progress: Progress

    def index(
        self, files: Iterable[SourceFile], metadata: Iterable[MetadataText]
    ) -> IndexedRepository:
        return open_repository(
            files,
            metadata=metadata,
            cache_dir=self.cache_dir,
            on_progress=lambda done, total: self.on_progress("indexing", done, total),
        )

    def sweep(self, repository: Repository, scope: Scope, sources: Sources) -> Swept:
        return sweep(
            repository, scope, self.policy, sources,
            analyzers=self.reviewers.analyzers, detectors=self.reviewers.detectors,
            on_progress=self.on_progress,
        )  # fmt: skip

    def sweep_change(
        self, repository: Repository, change: Change, sources: Sources
    ) -> tuple[Swept, list[Found]]:
        """Everything found in the new version, and what of it the change is the cause of."""
        is_emptied = bool(change.removed or change.renamed)
        base = self._base(change) if is_emptied and change.base is not None else None
        scope = scope_of_change(change, repository, base)
        now = self.sweep(repository, scope, sources)
        learned = self.reviewers.learned
        suspected = [each for each in now.found if each.finding.rule in learned]
        proven = [each for each in now.found if each.finding.rule not in learned]
        # A model is not asked about the base: what it suspects counts where lines are new.
        fresh = [each for each in suspected if touches_change(each, change, sources)]
        if change.base is None:
            fresh += [each for each in proven if touches_change(each, change, sources)]
        elif proven:
            base = base or self._base(change)
            before = self._sweep_base(base, scope, change, {each.finding.path for each in proven})
            fresh += new_findings(proven, before.found, change, sources)
        return now, fresh

    def _base(self, change: Change) -> IndexedRepository:
        return self.index(change.base or (), change.base_metadata)

    def _sweep_base(self, base: Repository, scope: Scope, change: Change, paths: set[str]) -> Swept:
        return sweep(
            base, scope_of_base(scope, change, base, paths), self.policy, Sources(base),
            analyzers=self.reviewers.base_analyzers or self.reviewers.analyzers,
            renamed={old: new for new, old in change.renamed.items()},
            on_progress=self.on_progress,
        )  # fmt: skip

    def count(self, found: Iterable[Found]) -> int:
        """How many may be posted."""
        return sum(self.policy.admits(each.finding) for each in found)

    def remarks(self, found: Iterable[Found]) -> list[Remark]:
        """What may be posted, merged, in order of path and place."""
        admitted = sorted((e for e in found if self.policy.admits(e.finding)), key=order_of)
        return merge(admitted, self.policy.config, self.reviewers.learned)

    def unread(self, files: Sequence[Unread]) -> list[Found]:
        if not self.policy.enables(UNREADABLE.id):
            return []
        return number(
            Found(self.policy.graded(_unread_finding(file)), file.path, anchor="")
            for file in files
            if self.policy.covers(file.path)
        )


def _unread_finding(file: Unread) -> Finding:
    message = f"This file was not reviewed: {file.reason}."
    return Finding(
        UNREADABLE.id, file.path, Span(0, 0), message, UNREADABLE.severity, confidence=1.0
    )


def _report(
    pass_: _Pass,
    found: list[Found],
    suppressed: list[Found],
    *,
    baseline: Baseline | None,
    num_unrelated: int,
    num_files: int,
    sources: Sources,
) -> ReviewReport:
    remarks = pass_.remarks(found)
    known = [each for each in remarks if baseline is not None and baseline.knows(each)]
    known_ids = {id(each) for each in known}
    posted, held_back = spend_budget(
        [each for each in remarks if id(each) not in known_ids], pass_.policy.config
    )
    return ReviewReport(
        remarks=tuple(posted),
        held_back=tuple(held_back),
        suppressed=tuple(pass_.remarks(suppressed)),
        known=tuple(known),
        num_unrelated=num_unrelated,
        num_files=num_files,
        levels=pass_.reviewers.levels,
        rules=pass_.policy.rules(pass_.reviewers.rules),
        sources=sources,
    )
