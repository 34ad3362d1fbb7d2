"""SARIF 2.1.0, within the limits of GitHub code scanning.

Sources: OASIS, Static Analysis Results Interchange Format 2.1.0; GitHub, "SARIF support for code scanning".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from nested_ray import __version__
from nested_ray.analyzers.findings import Fix, Location, Rule, Severity
from nested_ray.languages.base import Span
from nested_ray.review.report import Remark, ReviewReport

SCHEMA_URI = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
MAX_RESULTS = 25_000
MAX_RELATED = 999
"""GitHub takes 1,000 locations of a result, its own one among them."""
MAX_MESSAGE_CHARS = 4_000
ROOT = "%SRCROOT%"
PROBLEM_SEVERITIES = {
    Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "recommendation",
}  # fmt: skip


def render_sarif(report: ReviewReport) -> str:
    """One run of one tool; suppressed findings are in it, marked as such."""
    document = {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [_run(report)]}
    return json.dumps(document, ensure_ascii=False) + "\n"


def _run(report: ReviewReport) -> dict[str, Any]:
    rules = {rule.id: index for index, rule in enumerate(report.rules)}
    shown = [(remark, False) for remark in report.remarks]
    shown += [(remark, True) for remark in report.suppressed]
    return {
        "tool": {
            "driver": {
                "name": "nested-ray",
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in report.rules],
            }
        },
        "automationDetails": {"id": "nested-ray/"},
        "columnKind": "utf16CodeUnits",
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
        "results": [
            _result(report, remark, rules, is_suppressed=is_suppressed)
            for remark, is_suppressed in shown[:MAX_RESULTS]
        ],
        "properties": {"summary": report.to_dict()["summary"]},
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": _pascal(rule.id),
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.summary},
        "help": {"text": rule.help},
        "defaultConfiguration": {"level": rule.severity.label},
        "properties": {
            "tags": [rule.level, *rule.languages][:20],
            "precision": "medium" if rule.is_learned else "very-high",
            "problem.severity": PROBLEM_SEVERITIES[rule.severity],
        },
    }


def _pascal(rule_id: str) -> str:
    words = rule_id.replace("/", "-").split("-")
    return "".join(word.capitalize() for word in words)


def _result(
    report: ReviewReport, remark: Remark, rules: dict[str, int], *, is_suppressed: bool
) -> dict[str, Any]:
    finding = remark.finding
    text = finding.message + (f"\n{finding.witness}" if finding.witness else "")
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": finding.severity.label,
        "message": {"text": text[:MAX_MESSAGE_CHARS]},
        "locations": [_location(report, finding.path, finding.span)],
        # GitHub reads the first name alone; the second one is ours for other readers.
        "partialFingerprints": {
            "primaryLocationLineHash": f"{remark.fingerprint}:1",
            "nestedRay/v1": remark.fingerprint,
        },
        "rank": round(100 * finding.confidence, 2),
        "properties": {
            "confidence": round(finding.confidence, 4),
            "weight": round(remark.weight, 4),
            "levels": list(remark.levels),
            "also": [{"rule": each.rule, "message": each.message} for each in remark.also],
        },
    }
    if finding.rule in rules:
        result["ruleIndex"] = rules[finding.rule]
    if finding.symbol:
        result["locations"][0]["logicalLocations"] = [{"fullyQualifiedName": finding.symbol}]
    if finding.related:
        result["relatedLocations"] = _related(report, finding.related[:MAX_RELATED])
    if finding.fix is not None and finding.fix.edits:
        result["fixes"] = [_fix(report, finding.path, finding.fix)]
    if is_suppressed:
        result["suppressions"] = [{"kind": "inSource"}]
    return result


def _location(report: ReviewReport, path: str, span: Span) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": _artifact(path),
            "region": _region(report, path, span),
        }
    }


def _related(report: ReviewReport, related: Sequence[Location]) -> list[dict[str, Any]]:
    locations: list[dict[str, Any]] = []
    for number, place in enumerate(related, start=1):
        location = {"id": number, **_location(report, place.path, place.span)}
        if place.message:
            location["message"] = {"text": place.message[:MAX_MESSAGE_CHARS]}
        locations.append(location)
    return locations


def _fix(report: ReviewReport, path: str, fix: Fix) -> dict[str, Any]:
    replacements = [
        {
            "deletedRegion": _region(report, path, edit.span),
            "insertedContent": {"text": edit.text},
        }
        for edit in fix.edits
    ]
    return {
        "description": {"text": fix.description},
        "artifactChanges": [{"artifactLocation": _artifact(path), "replacements": replacements}],
    }


def _artifact(path: str) -> dict[str, str]:
    # A colon in the first part would make the rest of it a scheme.
    return {"uri": quote(path, safe="/"), "uriBaseId": ROOT}


def _region(report: ReviewReport, path: str, span: Span) -> dict[str, int]:
    region = report.lines(path).utf16_region(span)
    return {
        "startLine": region.start_line,
        "startColumn": region.start_column,
        "endLine": region.end_line,
        "endColumn": region.end_column,
    }
