"""rdjson, the diagnostic format of reviewdog: columns count bytes of UTF-8, ends are exclusive.

Source: reviewdog's proto/rdf/reviewdog.proto.
"""

from __future__ import annotations

import json
from typing import Any

from nested_ray.analyzers.findings import Fix, Severity
from nested_ray.languages.base import Span
from nested_ray.review.lines import Lines, Region
from nested_ray.review.report import Remark, ReviewReport

SEVERITIES = {Severity.ERROR: "ERROR", Severity.WARNING: "WARNING", Severity.NOTE: "INFO"}
MAX_SUGGESTION_CHARS = 10_000
"""A fix that rewrites more is described in words alone."""


def render_rdjson(report: ReviewReport) -> str:
    """One DiagnosticResult."""
    result = {
        "source": {"name": "nested-ray"},
        "diagnostics": [_diagnostic(report, remark) for remark in report.remarks],
    }
    return json.dumps(result, ensure_ascii=False) + "\n"


def _diagnostic(report: ReviewReport, remark: Remark) -> dict[str, Any]:
    finding = remark.finding
    lines = report.lines(finding.path)
    message = finding.message + (f"\n{finding.witness}" if finding.witness else "")
    diagnostic: dict[str, Any] = {
        "message": message,
        "location": {"path": finding.path, "range": _range(lines.utf8_region(finding.span))},
        "severity": SEVERITIES[finding.severity],
        "code": {"value": finding.rule},
    }
    if finding.fix is not None and (suggestion := _suggestion(lines, finding.fix)):
        diagnostic["suggestions"] = [suggestion]
    return diagnostic


def _suggestion(lines: Lines, fix: Fix) -> dict[str, Any] | None:
    """All edits as one replacement: several suggestions would be shown as alternatives."""
    if not fix.edits:
        return None
    around = Span(fix.edits[0].span.start, fix.edits[-1].span.end)
    if around.end - around.start > MAX_SUGGESTION_CHARS:
        return None
    text = ""
    position = around.start
    for edit in fix.edits:
        text += lines.text[position : edit.span.start] + edit.text
        position = edit.span.end
    return {"range": _range(lines.utf8_region(around)), "text": text}


def _range(region: Region) -> dict[str, Any]:
    return {
        "start": {"line": region.start_line, "column": region.start_column},
        "end": {"line": region.end_line, "column": region.end_column},
    }
