"""The part of SARIF 2.1.0 that is written here, as a schema of our own after the text of the standard.

Section numbers are those of the standard. It is narrower than the standard's own schema: what is not
listed is refused, and what the standard says in words (an index below the number of rules, columns
from 1, relative URIs) is checked by the tests beside it.
"""

from __future__ import annotations

from typing import Any


def record(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
    }


def several(items: dict[str, Any], **limits: int) -> dict[str, Any]:
    return {"type": "array", "items": items, **limits}


TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 1}
BAG = {"type": "object"}
MESSAGE = record({"text": TEXT})  # 3.11
LEVEL = {"enum": ["none", "note", "warning", "error"]}  # 3.27.10
ARTIFACT_LOCATION = record({"uri": TEXT, "uriBaseId": {"const": "%SRCROOT%"}})  # 3.4
REGION = record(
    {"startLine": COUNT, "startColumn": COUNT, "endLine": COUNT, "endColumn": COUNT}
)  # 3.30
PHYSICAL = record({"artifactLocation": ARTIFACT_LOCATION, "region": REGION})  # 3.29
LOGICAL = record({"fullyQualifiedName": TEXT})  # 3.33
LOCATION = record(  # 3.28
    {"physicalLocation": PHYSICAL},
    {"id": {"type": "integer", "minimum": 0}, "message": MESSAGE, "logicalLocations": several(LOGICAL)},
)  # fmt: skip
REPLACEMENT = record({"deletedRegion": REGION, "insertedContent": record({"text": {"type": "string"}})})  # 3.57  # fmt: skip
CHANGE = record(
    {"artifactLocation": ARTIFACT_LOCATION, "replacements": several(REPLACEMENT, minItems=1)}
)  # 3.56
FIX = record({"description": MESSAGE, "artifactChanges": several(CHANGE, minItems=1)})  # 3.55
RESULT = record(  # 3.27
    {
        "ruleId": TEXT,
        "level": LEVEL,
        "message": MESSAGE,
        "locations": several(LOCATION, minItems=1, maxItems=1),
        "partialFingerprints": {
            "type": "object",
            "additionalProperties": TEXT,
            "required": ["primaryLocationLineHash"],
        },
        "rank": {"type": "number", "minimum": 0, "maximum": 100},
        "properties": BAG,
    },
    {
        "ruleIndex": {"type": "integer", "minimum": 0},
        "relatedLocations": several(LOCATION, maxItems=999),
        "fixes": several(FIX, minItems=1),
        "suppressions": several(record({"kind": {"enum": ["inSource", "external"]}})),  # 3.35
    },
)
RULE = record(  # 3.49
    {
        "id": TEXT,
        "name": {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]*$"},
        "shortDescription": MESSAGE,
        "fullDescription": MESSAGE,
        "help": MESSAGE,
        "defaultConfiguration": record({"level": LEVEL}),  # 3.50
        "properties": record(
            {
                "tags": {**several(TEXT, maxItems=20), "uniqueItems": True},
                "precision": {"enum": ["very-high", "high", "medium", "low"]},
                "problem.severity": {"enum": ["error", "warning", "recommendation"]},
            }
        ),
    }
)
DRIVER = record({"name": TEXT, "semanticVersion": TEXT, "rules": several(RULE)})  # 3.19
RUN = record(  # 3.14
    {
        "tool": record({"driver": DRIVER}),
        "automationDetails": record({"id": {"type": "string", "pattern": "/$"}}),
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "originalUriBaseIds": {
            "type": "object",
            "additionalProperties": record({"description": MESSAGE}),
        },
        "results": several(RESULT, maxItems=25_000),
        "properties": BAG,
    }
)
SARIF = record(
    {
        "$schema": {"type": "string", "format": "uri", "pattern": "sarif-schema-2.1.0.json$"},
        "version": {"const": "2.1.0"},
        "runs": several(RUN, minItems=1, maxItems=20),
    }
)  # 3.13
