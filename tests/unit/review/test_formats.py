"""Four ways to write one report, each against its schema and against places counted by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import unquote

import jsonschema
import pytest

from nested_ray.analyzers.findings import Edit, Finding, Fix, Location, Severity
from nested_ray.languages.base import Span
from nested_ray.review.formats import render_json, render_rdjson, render_sarif, render_text, sarif
from nested_ray.review.formats.report_json import REPORT_SCHEMA
from nested_ray.review.formats.text import coloured, excerpt, printable
from nested_ray.review.lines import Lines
from nested_ray.review.report import Remark, ReviewReport
from nested_ray.review.reviewer import UNREADABLE

from .sarif_schema import SARIF
from .words import BAD, GUESS, ODD

POSITION = {
    "type": "object",
    "properties": {"line": {"type": "integer", "minimum": 1}, "column": {"type": "integer", "minimum": 1}},
    "required": ["line", "column"],
    "additionalProperties": False,
}  # fmt: skip
RANGE = {
    "type": "object",
    "properties": {"start": POSITION, "end": POSITION},
    "required": ["start", "end"],
    "additionalProperties": False,
}
TEXT = {"type": "string"}
RDJSON = {
    "type": "object",
    "required": ["source", "diagnostics"],
    "additionalProperties": False,
    "properties": {
        "source": {"type": "object", "properties": {"name": TEXT}, "required": ["name"]},
        "diagnostics": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["message", "location", "severity", "code"],
                "additionalProperties": False,
                "properties": {
                    "message": TEXT,
                    "location": {
                        "type": "object",
                        "properties": {"path": TEXT, "range": RANGE},
                        "required": ["path", "range"],
                        "additionalProperties": False,
                    },
                    "severity": {"enum": ["ERROR", "WARNING", "INFO"]},
                    "code": {
                        "type": "object",
                        "properties": {"value": TEXT},
                        "required": ["value"],
                    },
                    "suggestions": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"range": RANGE, "text": TEXT},
                            "required": ["range", "text"],
                            "additionalProperties": False,
                        },
                    },
                },
            },
        },
    },
}
"""After reviewdog's proto/rdf/reviewdog.proto: DiagnosticResult, the fields that are written here."""

CODE = 'x = "𐐀" + ODD\n\tЖ = BAD; BAD\n'
PATH = "src/мой модуль#1.py"
"""A name that must be escaped in a URI."""


def finding(rule, text: str, nth: int = 1, **more) -> Finding:
    start = -1
    for _ in range(nth):
        start = CODE.index(text, start + 1)
    span = Span(start, start + len(text))
    return Finding(rule.id, PATH, span, f"{text} stands here", rule.severity, 1.0, **more)


@pytest.fixture
def report() -> ReviewReport:
    start = CODE.index("BAD")
    fix = Fix(
        "write GOOD twice",
        (Edit(Span(start, start + 3), "GOOD"), Edit(Span(start + 5, start + 8), "GOOD")),
    )
    bad = finding(BAD, "BAD", fix=fix, symbol="C.f", witness="it is bad\nand worse",
                  related=(Location(PATH, Span(0, 1), "bound here"), Location("b.py", Span(2, 2))))  # fmt: skip
    odd = replace(finding(ODD, "ODD"), confidence=0.75)
    return ReviewReport(
        remarks=(
            Remark(odd, "f1", ("semantics",), 1.2),
            Remark(bad, "f2", ("syntax", "semantics"), 5.4, also=(finding(ODD, "BAD"),), also_fingerprints=("f3",)),
        ),
        held_back=(Remark(finding(ODD, "BAD", 2), "f4", ("semantics",), 0.1),),
        suppressed=(Remark(finding(BAD, "BAD", 2), "f5", ("syntax",), 0.1),),
        num_unrelated=2,
        num_files=1,
        levels=("syntax", "semantics"),
        rules=(BAD, GUESS, ODD, UNREADABLE),
        sources={PATH: Lines(CODE), "b.py": Lines("ab\n")},
    )  # fmt: skip


def test_json_is_as_described_and_counts_characters(report):
    values = json.loads(render_json(report))
    jsonschema.Draft202012Validator.check_schema(REPORT_SCHEMA)
    jsonschema.validate(values, REPORT_SCHEMA)
    first, second = values["findings"]
    assert list(first["range"].values()) == [1, 11, 1, 14]
    assert list(second["range"].values()) == [2, 6, 2, 9]
    assert second["also"] == [{"rule": "semantics/odd", "message": "BAD stands here"}]
    assert [edit["text"] for edit in second["fix"]["edits"]] == ["GOOD", "GOOD"]
    assert values["summary"] == {
        "files": 1,
        "levels": ["syntax", "semantics"],
        "posted": {"error": 1, "warning": 1, "note": 0},
        "held_back": {"error": 0, "warning": 1, "note": 0},
        "suppressed": 1,
        "known": 0,
        "unrelated": 2,
    }


def test_sarif_keeps_to_the_standard(report):
    values = json.loads(render_sarif(report))
    jsonschema.validate(values, SARIF)
    (run,) = values["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[each["ruleIndex"]]["id"] for each in run["results"]] == [
        each["ruleId"] for each in run["results"]
    ]
    odd, bad, hidden = run["results"]
    assert list(odd["locations"][0]["physicalLocation"]["region"].values()) == [1, 12, 1, 15]
    assert odd["rank"] == 75
    assert bad["partialFingerprints"]["nestedRay/v1"] == "f2"
    assert [each["id"] for each in bad["relatedLocations"]] == [1, 2]
    assert bad["fixes"][0]["artifactChanges"][0]["replacements"][1] == {
        "deletedRegion": {"startLine": 2, "startColumn": 11, "endLine": 2, "endColumn": 14},
        "insertedContent": {"text": "GOOD"},
    }
    assert [("suppressions" in each) for each in (odd, bad, hidden)] == [False, False, True]
    assert rules[1]["properties"]["precision"] == "medium"


def test_sarif_names_files_by_uris(report):
    place = json.loads(render_sarif(report))["runs"][0]["results"][0]["locations"][0]
    uri = place["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.isascii() and "#" not in uri and " " not in uri
    assert unquote(uri) == PATH


def test_sarif_stays_within_what_github_takes(monkeypatch):
    assert (sarif.MAX_RESULTS, sarif.MAX_RELATED + 1) == (25_000, 1_000)
    monkeypatch.setattr(sarif, "MAX_RESULTS", 30)
    places = (Location("a.py", Span(0, 1)),) * 5_000
    found = Finding(ODD.id, "a.py", Span(0, 1), "m" * 10_000, Severity.NOTE, 1.0, related=places)
    remark = Remark(found, "f", ("semantics",), 1.0)
    short = Remark(replace(found, related=()), "f", ("semantics",), 1.0)
    report = ReviewReport(remarks=(remark,), suppressed=(short,) * 40, sources={"a.py": Lines("a")})
    (run,) = json.loads(render_sarif(report))["runs"]
    assert len(run["results"]) == 30
    assert len(run["results"][0]["relatedLocations"]) == 999


def test_rdjson_counts_bytes_and_offers_one_replacement(report):
    values = json.loads(render_rdjson(report))
    jsonschema.validate(values, RDJSON)
    odd, bad = values["diagnostics"]
    assert odd["location"] == {
        "path": PATH,
        "range": {"start": {"line": 1, "column": 14}, "end": {"line": 1, "column": 17}},
    }
    assert (odd["severity"], bad["severity"]) == ("WARNING", "ERROR")
    assert bad["suggestions"] == [
        {
            "range": {"start": {"line": 2, "column": 7}, "end": {"line": 2, "column": 15}},
            "text": "GOOD; GOOD",
        }
    ]


def test_text_shows_the_line_and_says_what_was_left_out(report):
    assert render_text(report) == (
        'src/мой модуль#1.py:1:11: warning: ODD stands here [semantics/odd, 75%]\n'
        '    1 | x = "𐐀" + ODD\n'
        "      |           ^^^\n"
        "\n"
        "src/мой модуль#1.py:2:6: error: BAD stands here [syntax/bad, semantics]\n"
        "    2 |     Ж = BAD; BAD\n"
        "      |         ^^^\n"
        "    it is bad\n"
        "    and worse\n"
        "    also: BAD stands here [semantics/odd]\n"
        "    fix: write GOOD twice\n"
        "    see src/мой модуль#1.py:1:1: bound here\n"
        "    see b.py:1:3\n"
        "\n"
        "1 error, 1 warning · 1 file reviewed (syntax, semantics)\n"
        "1 finding held back by the noise budget, the weightiest of them warnings; --max-findings N shows more\n"
        "not shown: 2 not caused by the change, 1 suppressed in the code\n"
    )  # fmt: skip


def shown(text: str, start: int, end: int) -> list[str]:
    report = ReviewReport((), sources={"a": Lines(text)})
    return [line.partition("| ")[2] for line in excerpt(report, "a", Span(start, end))]


@pytest.mark.parametrize(
    ("text", "start", "end", "marks"),
    [
        ("\tx = 1", 1, 2, "    ^"),
        ("漢字 = 1", 0, 2, "^^^^"),
        ("漢字 = 1", 3, 4, "     ^"),
        ("e\u0301 = 1", 3, 4, "  ^"),
        ("ab", 2, 2, "  ^"),
        ("ab\ncd", 1, 5, " ^"),
    ],
)
def test_carets_stand_under_what_they_mean(text, start, end, marks):
    assert shown(text, start, end)[1] == marks


def test_of_a_long_line_the_part_around_is_shown():
    text = "a" * 3_000_000 + "BAD" + "b" * 3_000_000
    line, marks = shown(text, 3_000_000, 3_000_003)
    assert len(line) < 130
    assert line[marks.index("^") : marks.rindex("^") + 1] == "BAD"


def test_nothing_in_code_or_messages_reaches_the_terminal_as_a_command():
    assert printable("a\x1b[2Jb\x07\u202ec") == "a�[2Jb��c"
    assert "\x1b" not in "".join(shown("x\x1b[31m = 1", 0, 1))


def test_colours_wrap_what_they_mean():
    assert coloured("error", "error") == "\x1b[1;31merror\x1b[0m"
