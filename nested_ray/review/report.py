"""ReviewReport: what a review says, and how much it leaves unsaid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nested_ray.analyzers.findings import Finding, Fix, Location, Rule, Severity
from nested_ray.config.review import FailOn
from nested_ray.languages.base import Span
from nested_ray.review.lines import Lines

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Remark:
    """One place that is remarked on: the weightiest finding there, and what other levels say of it."""

    finding: Finding
    fingerprint: str
    levels: tuple[str, ...]
    """Every level that found something here, the finding's own first."""
    weight: float
    """Severity x confidence x the weights of its levels; the budget goes to the weightiest."""
    also: tuple[Finding, ...] = ()
    """The findings of the same place that this one stands for."""
    also_fingerprints: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        return self.finding.severity

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return (self.fingerprint, *self.also_fingerprints)


@dataclass(frozen=True)
class ReviewReport:
    """Everything that any of the output formats says."""

    remarks: tuple[Remark, ...]
    """What is posted, in order of path and place."""
    held_back: tuple[Remark, ...] = ()
    """Found, but over the noise budget; the weightiest first."""
    suppressed: tuple[Remark, ...] = ()
    """Silenced by a comment in the code."""
    known: tuple[Remark, ...] = ()
    """In the baseline."""
    num_unrelated: int = 0
    """There before the change, and not caused by it."""
    num_files: int = 0
    """Files that were looked at."""
    levels: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    """Every rule that could have been posted."""
    sources: Mapping[str, Lines] = field(default_factory=dict)
    """The texts of the files that findings and related places lie in."""

    def fails(self, fail_on: FailOn) -> bool:
        """Whether something at least this severe was found; what was held back counts."""
        if fail_on == "never":
            return False
        found = (*self.remarks, *self.held_back)
        return any(remark.severity >= Severity[fail_on.upper()] for remark in found)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many were posted, by severity."""
        return count_severities(self.remarks)

    def lines(self, path: str) -> Lines:
        """The text of a file; empty for one that could not be read."""
        try:
            return self.sources[path]
        except KeyError:
            return Lines("")

    @property
    def all_remarks(self) -> tuple[Remark, ...]:
        """Everything found that is not suppressed: what a baseline takes in."""
        return (*self.remarks, *self.held_back, *self.known)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON; `nested_ray.review.schema.REPORT_SCHEMA` describes it."""
        return {
            "version": FORMAT_VERSION,
            "findings": [self._remark(remark) for remark in self.remarks],
            "suppressed": [self._remark(remark) for remark in self.suppressed],
            "summary": {
                "files": self.num_files,
                "levels": list(self.levels),
                "posted": self.counts,
                "held_back": count_severities(self.held_back),
                "suppressed": len(self.suppressed),
                "known": len(self.known),
                "unrelated": self.num_unrelated,
            },
        }

    def _remark(self, remark: Remark) -> dict[str, Any]:
        finding = remark.finding
        return {
            "rule": finding.rule,
            "severity": finding.severity.label,
            "message": finding.message,
            "path": finding.path,
            "range": self._range(finding.path, finding.span),
            "symbol": finding.symbol,
            "confidence": round(finding.confidence, 4),
            "weight": round(remark.weight, 4),
            "levels": list(remark.levels),
            "witness": finding.witness,
            "fingerprint": remark.fingerprint,
            "related": [self._location(location) for location in finding.related],
            "also": [{"rule": each.rule, "message": each.message} for each in remark.also],
            "fix": self._fix(finding.path, finding.fix) if finding.fix else None,
        }

    def _range(self, path: str, span: Span) -> dict[str, int]:
        return self.lines(path).region(span)._asdict()

    def _location(self, location: Location) -> dict[str, Any]:
        return {
            "path": location.path,
            "range": self._range(location.path, location.span),
            "message": location.message,
        }

    def _fix(self, path: str, fix: Fix) -> dict[str, Any]:
        edits = [{"range": self._range(path, edit.span), "text": edit.text} for edit in fix.edits]
        return {"description": fix.description, "edits": edits}


def count_severities(remarks: Iterable[Remark]) -> dict[str, int]:
    """`{"error": 1, "warning": 0, "note": 3}`."""
    counts = Counter(remark.severity for remark in remarks)
    return {severity.label: counts[severity] for severity in sorted(Severity, reverse=True)}
