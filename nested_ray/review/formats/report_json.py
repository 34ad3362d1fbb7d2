"""The project's own JSON: the report, and the schema that describes it."""

from __future__ import annotations

import json
from typing import Any

from nested_ray.review.report import ReviewReport


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _described(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {**schema, "description": description}


_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_PLACE = {"type": "integer", "minimum": 1}
_COUNTS = _object({"error": _COUNT, "warning": _COUNT, "note": _COUNT})
_RANGE = _described(
    _object({
        "start_line": _PLACE, "start_column": _PLACE, "end_line": _PLACE, "end_column": _PLACE,
    }),
    "Half-open; lines and columns start at 1, columns count characters (Unicode code points).",
)  # fmt: skip
_FIX = _object(
    {
        "description": _TEXT,
        "edits": {"type": "array", "items": _object({"range": _RANGE, "text": _TEXT})},
    }
)
_FINDING = _object(
    {
        "rule": _described(_TEXT, "`level/kebab-name`, stable for ever."),
        "severity": {"enum": ["error", "warning", "note"]},
        "message": _TEXT,
        "path": _described(_TEXT, "Relative to the root of the repository, `/`-separated."),
        "range": _RANGE,
        "symbol": _described(_TEXT, "Qualified name of the definition around it, or empty."),
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "weight": {"type": "number", "minimum": 0},
        "levels": {"type": "array", "items": _TEXT, "minItems": 1},
        "witness": _described(_TEXT, "The proof or the evidence in words."),
        "fingerprint": _described(
            _TEXT, "The same while the finding stays, whatever line it is on."
        ),
        "related": {
            "type": "array",
            "items": _object({"path": _TEXT, "range": _RANGE, "message": _TEXT}),
        },
        "also": _described(
            {"type": "array", "items": _object({"rule": _TEXT, "message": _TEXT})},
            "What other levels found in the same place.",
        ),
        "fix": {"anyOf": [{"type": "null"}, _FIX]},
    }
)
REPORT_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "nested-ray review report",
    **_object(
        {
            "version": {"const": 1},
            "findings": {"type": "array", "items": _FINDING},
            "suppressed": _described(
                {"type": "array", "items": _FINDING}, "Silenced by a comment in the code."
            ),
            "summary": _object(
                {
                    "files": _described(_COUNT, "Files that were looked at."),
                    "levels": {"type": "array", "items": _TEXT},
                    "posted": _COUNTS,
                    "held_back": _described(_COUNTS, "Found, but over the noise budget."),
                    "suppressed": _COUNT,
                    "known": _described(_COUNT, "In the baseline."),
                    "unrelated": _described(_COUNT, "There before the change."),
                }
            ),
        }
    ),
}
"""JSON Schema of what `ReviewReport.to_dict` gives."""


def render_json(report: ReviewReport) -> str:
    """The report as JSON that a person can read too."""
    return json.dumps(report.to_dict(), ensure_ascii=False, indent=2) + "\n"
