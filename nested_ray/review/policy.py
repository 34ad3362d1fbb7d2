"""Which findings may be posted: rules switched on or off, severities changed, the uncertain left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from nested_ray.analyzers.findings import Finding, Rule, Severity
from nested_ray.config.corpus import FilterConfig
from nested_ray.config.review import ReviewConfig
from nested_ray.corpus.filters import PathFilter


class Policy:
    """A ReviewConfig applied to rules and findings."""

    def __init__(self, config: ReviewConfig) -> None:
        self.config = config
        self._paths = PathFilter(FilterConfig(exclude=config.exclude))
        self._min_severity = Severity[config.min_severity.upper()]
        self._severities: dict[str, Severity | None] = {}
        self._enabled: dict[str, bool] = {}

    def rules(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """The rules that are switched on, with the severities that hold here."""
        return tuple(
            replace(rule, severity=self._severity(rule.id) or rule.severity)
            for rule in sorted(rules, key=lambda rule: rule.id)
            if self.enables(rule.id)
        )

    def enables(self, rule: str) -> bool:
        """Whether a rule is switched on."""
        if rule not in self._enabled:
            config = self.config
            self._enabled[rule] = _any_fits(rule, config.enable) and not _any_fits(
                rule, config.disable
            )
        return self._enabled[rule]

    def covers(self, path: str) -> bool:
        """Whether findings in a file may be posted."""
        return self._paths.refuse(path) is None

    def graded(self, finding: Finding) -> Finding:
        """The finding with the severity that holds here."""
        severity = self._severity(finding.rule)
        return finding if severity is None else replace(finding, severity=severity)

    def admits(self, finding: Finding) -> bool:
        """Whether a graded finding is certain and severe enough."""
        return (
            finding.confidence >= self.config.min_confidence
            and finding.severity >= self._min_severity
        )

    def _severity(self, rule: str) -> Severity | None:
        if rule not in self._severities:
            fitting = [name for p, name in self.config.severity.items() if fnmatchcase(rule, p)]
            self._severities[rule] = Severity[fitting[-1].upper()] if fitting else None
        return self._severities[rule]


def _any_fits(rule: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(rule, pattern) for pattern in patterns)
