"""Comments that silence findings, and what is said of those that silence nothing."""

from __future__ import annotations

import pytest

from nested_ray.config.review import ReviewConfig
from nested_ray.repository.base import SourceFile
from nested_ray.review import Reviewers, review

from .words import BAD, ODD, UGLY, WordAnalyzer


def lines_found(look, text: str, **settings) -> list[tuple[str, int]]:
    report = look({"a.py": text}, settings=settings)
    return [
        (each.finding.rule, report.lines("a.py").region(each.finding.span).start_line)
        for each in report.remarks
    ]


@pytest.mark.parametrize(
    "text",
    [
        "ODD  # nested-ray: ignore[semantics/odd]\n",
        "ODD  # nested-ray: ignore\n",
        "ODD  # a reason; nested-ray: ignore[ semantics/* , ] and why\n",
        "# nested-ray: ignore[semantics/odd]\nODD\n",
        "x\n    # nested-ray: ignore\n    ODD\n",
        "# nested-ray: ignore-file[semantics/odd]\nx\n\nODD\nODD\n",
        "ODD\n\n# nested-ray: ignore-file\n",
    ],
)
def test_a_comment_silences_its_line_or_the_next_or_the_file(look, text):
    assert lines_found(look, text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ODD\n# nested-ray: ignore[semantics/odd]\n", [("semantics/odd", 1), ("review/unused-suppression", 2)]),
        ("x # nested-ray: ignore[semantics/odd]\nODD\n", [("review/unused-suppression", 1), ("semantics/odd", 2)]),
        ("ODD # nested-ray: ignore[syntax/bad]\n", [("semantics/odd", 1), ("review/unused-suppression", 1)]),
        ("ODD # nested-ray: ignore[odd]\n", [("semantics/odd", 1), ("review/unused-suppression", 1)]),
        ("s = 'nested-ray: ignore'; ODD\n", [("semantics/odd", 1)]),
        ("ODD # nested-ray: ignore[semantics/odd, syntax/bad]\n", [("review/unused-suppression", 1)]),
        ("x = 1 # nested-ray: ignore\n", [("review/unused-suppression", 1)]),
        ("x = 1 # nested-ray: ignored\n", []),
        # rules that only a model posts may need it
        ("x = 1 # nested-ray: ignore[semantics/guess]\n", []),
    ],
)  # fmt: skip
def test_a_comment_silences_nothing_else_and_says_so(look, text, found):
    assert lines_found(look, text) == found


def test_what_is_silenced_is_kept_for_formats_that_tell_it(look):
    report = look({"a.py": "ODD  # nested-ray: ignore\n"})
    assert [each.finding.rule for each in report.suppressed] == ["semantics/odd"]
    assert not report.fails("note")


def test_a_level_that_was_not_asked_does_not_make_its_suppressions_unused(look):
    report = look(
        {"a.py": "x # nested-ray: ignore[syntax/bad]\ny # nested-ray: ignore\n"},
        reviewers=Reviewers([WordAnalyzer(ODD, "ODD"), WordAnalyzer(UGLY, "UGLY")]),
    )
    assert report.remarks == ()


def test_unused_suppressions_can_be_switched_off(look):
    assert lines_found(look, "x # nested-ray: ignore\n", disable=["review/*"]) == []


def test_bsl_comments_count_too():
    text = "А = ODD; // nested-ray: ignore\nБ = ODD;\n"
    report = review(
        [SourceFile("m.bsl", "bsl", text)],
        config=ReviewConfig(),
        reviewers=Reviewers([WordAnalyzer(ODD, "ODD"), WordAnalyzer(BAD, "BAD")]),
    )
    assert [each.finding.span.start for each in report.remarks] == [text.rindex("ODD")]
