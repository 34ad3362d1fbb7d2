"""What is said of a tree and of a change, with analyzers whose findings can be counted by eye."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nested_ray.analyzers.findings import Severity
from nested_ray.review import Baseline, Reviewers, Unread, compare
from nested_ray.review.baseline import render_baseline

from .words import (
    BAD,
    GUESS,
    ODD,
    UGLY,
    CallAnalyzer,
    WordAnalyzer,
    python,
)


def said(report):
    return [
        (each.finding.rule, each.finding.path, report.lines(each.finding.path).region(each.finding.span)[:2])
        for each in report.remarks
    ]  # fmt: skip


def test_what_two_levels_find_in_one_place_is_said_once_by_the_more_severe(look):
    report = look({"a.py": "x = BAD\n"})
    assert said(report) == [("syntax/bad", "a.py", (1, 5))]
    (remark,) = report.remarks
    assert remark.levels == ("syntax", "semantics")
    assert [each.rule for each in remark.also] == ["semantics/odd"]
    assert remark.weight == pytest.approx(3 * 1.0 * (1.0 + 0.8))


def test_a_remark_on_the_whole_is_not_mixed_with_one_on_a_part(look):
    found = [
        WordAnalyzer(ODD, r"ODD\("),
        WordAnalyzer(BAD, r"ODD\(x"),
        WordAnalyzer(UGLY, r"ODD\(x\)"),
    ]
    report = look({"a.py": "ODD(x)\n"}, reviewers=Reviewers(found))
    assert [each.levels for each in report.remarks] == [
        ("syntax", "semantics"),
        ("architecture",),
    ]


def test_findings_stand_in_order_of_path_and_place(look):
    report = look({"b.py": "ODD\nUGLY\n", "a.py": "\n  ODD\n"})
    assert said(report) == [
        ("semantics/odd", "a.py", (2, 3)),
        ("semantics/odd", "b.py", (1, 1)),
        ("architecture/ugly", "b.py", (2, 1)),
    ]


def test_only_files_asked_for_are_spoken_of(look):
    report = look({"a.py": "ODD\n", "b.py": "ODD\n"}, paths=["b.py", "gone.py"])
    assert said(report) == [("semantics/odd", "b.py", (1, 1))]
    assert report.num_files == 1


@pytest.mark.parametrize(
    ("settings", "rules"),
    [
        ({"disable": ["semantics/*"]}, ["syntax/bad", "architecture/ugly"]),
        ({"enable": ["semantics/*"]}, ["semantics/odd", "semantics/odd"]),
        ({"min_severity": "warning"}, ["syntax/bad", "semantics/odd"]),
        ({"exclude": ["*.py"]}, []),
        ({"severity": {"*": "error", "semantics/o*": "note"}}, ["syntax/bad", "semantics/odd", "architecture/ugly"]),
    ],
)  # fmt: skip
def test_settings_choose_what_is_said(look, settings, rules):
    report = look({"a.py": "BAD\nODD\nUGLY\n"}, settings=settings)
    assert [each.finding.rule for each in report.remarks] == rules


def test_severity_in_the_config_decides_what_fails(look):
    texts = {"a.py": "ODD\n"}
    assert not look(texts).fails("error")
    assert look(texts).fails("warning")
    assert look(texts, settings={"severity": {"semantics/odd": "error"}}).fails("error")
    assert not look(texts).fails("never")


def test_the_budget_goes_to_the_weightiest_and_the_rest_is_counted(look):
    texts = {"a.py": "UGLY\nODD\nBAD\n", "b.py": "ODD\n" * 4}
    report = look(texts, settings={"max_findings": 4, "max_findings_per_file": 2})
    assert said(report) == [
        ("semantics/odd", "a.py", (2, 1)),
        ("syntax/bad", "a.py", (3, 1)),
        ("semantics/odd", "b.py", (1, 1)),
        ("semantics/odd", "b.py", (2, 1)),
    ]
    assert report.to_dict()["summary"]["held_back"] == {"error": 0, "warning": 2, "note": 1}


def test_what_is_held_back_still_fails(look):
    texts = {"a.py": "BAD\n", "b.py": "BAD\n"}
    report = look(texts, settings={"max_findings": 1})
    assert len(report.remarks) == 1
    assert replace(report, remarks=()).fails("error")


def test_uncertain_findings_are_left_out(look):
    reviewers = Reviewers([], [WordAnalyzer(GUESS, "ODD", confidence=0.4)])
    assert look({"a.py": "ODD\n"}, reviewers=reviewers).remarks == ()
    assert len(look({"a.py": "ODD\n"}, reviewers=reviewers, settings={"min_confidence": 0.4}).remarks) == 1  # fmt: skip


def test_a_proof_speaks_for_what_a_model_suspects_of_the_same_level(look):
    guess = WordAnalyzer(replace(GUESS, severity=Severity.ERROR), "ODD", confidence=0.9)
    (remark,) = look({"a.py": "ODD\n"}, reviewers=Reviewers([WordAnalyzer(ODD, "ODD")], [guess])).remarks  # fmt: skip
    assert remark.finding.rule == "semantics/odd"
    assert [each.rule for each in remark.also] == ["semantics/guess"]
    assert remark.levels == ("semantics",)


def change_of(before: dict[str, str], after: dict[str, str]):
    return compare(
        [python(*item) for item in before.items()], [python(*item) for item in after.items()]
    )


def test_a_change_is_told_only_what_it_brought(look):
    before = {"a.py": "ODD\nx = 1\n", "b.py": "BAD\n"}
    after = {"a.py": "# first\nODD\nx = 2\nODD\n", "b.py": "BAD\n"}
    report = look(after, change=change_of(before, after))
    assert said(report) == [("semantics/odd", "a.py", (4, 1))]
    assert report.num_unrelated == 1
    assert report.num_files == 1


def test_of_equal_findings_the_one_on_new_lines_is_new(look):
    before = {"a.py": "x\nODD\n"}
    after = {"a.py": "ODD\nx\nODD\n"}
    assert said(look(after, change=change_of(before, after))) == [("semantics/odd", "a.py", (1, 1))]


def test_a_renamed_file_and_a_renamed_function_bring_nothing_new(look):
    body = "def {}():\n    ODD\n    a = 1\n    b = 2\n    return a + b\n"
    before, after = {"old.py": body.format("f")}, {"new.py": body.format("g")}
    change = change_of(before, after)
    assert change.renamed == {"new.py": "old.py"}
    assert said(look(after, change=change)) == []


def test_a_changed_signature_is_told_where_it_breaks_a_call(look):
    before = {"lib.py": "def f(a):\n    pass\n", "use.py": "from lib import f\nf(1)\n"}
    after = before | {"lib.py": "def f(a, b):\n    pass\n"}
    report = look(after, change=change_of(before, after), reviewers=Reviewers([CallAnalyzer()]))
    assert said(report) == [("semantics/wrong-count", "use.py", (2, 1))]


def test_without_a_base_only_new_lines_and_what_refers_to_them_count(look):
    after = {"lib.py": "def f(a, b):\n    pass\n", "use.py": "from lib import f\nf(1)\nODD\n"}
    change = replace(change_of({}, after), base=None, lines={"lib.py": frozenset({1})})
    report = look(
        after, change=change, reviewers=Reviewers([CallAnalyzer(), WordAnalyzer(ODD, "ODD")])
    )
    assert said(report) == [("semantics/wrong-count", "use.py", (2, 1))]


def test_a_model_is_heard_on_new_lines_alone(look):
    before, after = {"a.py": "ODD\n"}, {"a.py": "ODD\n\nODD\n"}
    reviewers = Reviewers([], [WordAnalyzer(GUESS, "ODD", confidence=0.9)])
    report = look(after, change=change_of(before, after), reviewers=reviewers)
    assert said(report) == [("semantics/guess", "a.py", (3, 1))]


def test_a_baseline_silences_what_it_holds_after_lines_moved(look, tmp_path):
    path = tmp_path / "baseline.json"
    path.write_text(render_baseline(look({"a.py": "ODD\nBAD\n"}).all_remarks), encoding="utf-8")
    baseline = Baseline.read(path)
    report = look({"a.py": "# new\n\nODD\n  BAD\nUGLY\n"}, baseline=baseline)
    assert said(report) == [("architecture/ugly", "a.py", (5, 1))]
    assert len(report.known) == 2
    assert not report.fails("warning")
    assert baseline.gone(report.all_remarks, {"a.py"}) == 0
    assert baseline.gone(look({"a.py": "ODD\n"}, baseline=baseline).all_remarks, {"a.py"}) == 2


def test_a_second_equal_finding_is_not_in_the_baseline(look, tmp_path):
    path = tmp_path / "baseline.json"
    path.write_text(render_baseline(look({"a.py": "ODD\n"}).all_remarks), encoding="utf-8")
    assert len(look({"a.py": "ODD\nODD\n"}, baseline=Baseline.read(path)).remarks) == 1


def test_a_file_without_text_is_named(look):
    report = look({}, unread=[Unread("data.py", "binary")])
    assert said(report) == [("review/unreadable", "data.py", (1, 1))]
    assert "binary" in report.remarks[0].finding.message
