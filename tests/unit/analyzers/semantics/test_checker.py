"""Ruff as a process: exact places, safe fixes, and an answer whatever becomes of it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from nested_ray.analyzers.findings import Severity
from nested_ray.analyzers.semantics.places import Places
from nested_ray.analyzers.semantics.python import ruff
from nested_ray.languages.base import Span
from tests.unit.analyzers.semantics.conftest import Analyze


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\nmissing\n",
        "\ufeffmissing\n",
        "\ufeffx = 1\nmissing\n",
        "x = 1\r\nmissing\r\n",
        "x = 1\rmissing\r",
        "if 1:\n\tx = 'я😀\u200b'; missing\n",
        "x = '''\x0c\u2028'''; missing",
        "# \ud800\nx = 'é'; missing\n",
    ],
)
def test_a_finding_stands_on_the_name_itself(text: str, analyze: Analyze) -> None:
    found = [f for f in analyze(text) if f.rule == "semantics/unresolved-name"]
    if "\ud800" in text:  # no source file of Python holds a lone surrogate: it does not parse
        assert found == []
        return
    start = text.index("missing")
    assert [finding.span for finding in found] == [Span(start, start + 7)]


@pytest.mark.parametrize(
    ("text", "row", "column"),
    [("a\n\tбв = 1\n", 2, 5), ("\ufeffбв\n", 1, 4), ("\r\n\rбв", 3, 2), ("x\x0cбв", 1, 4)],
)
def test_columns_in_bytes_are_those_of_the_bytes(text: str, row: int, column: int) -> None:
    body = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    wanted = body.split("\n")[row - 1].encode()[:column].decode()
    offset = Places(text).offset_of_byte(row, column)
    assert text[:offset].endswith(wanted) and Places(text).row(offset) == row


def test_a_safe_fix_removes_what_was_found(analyze: Analyze) -> None:
    text = "import os\nimport sys\n\nprint(sys.argv)\n"
    (finding,) = analyze(text)
    assert finding.fix is not None
    assert finding.fix.apply(text) == "import sys\n\nprint(sys.argv)\n"


def test_a_module_that_fills_its_own_namespace_is_not_judged(analyze: Analyze) -> None:
    assert analyze("globals().update(made=1)\nprint(made)\n") == []


def test_the_authors_noqa_is_respected(analyze: Analyze) -> None:
    assert analyze("import os  # noqa: F401\n") == []


def _ending_with(code: int, output: bytes = b"") -> object:
    def run(command: Sequence[str], **_: object) -> SimpleNamespace:
        return SimpleNamespace(returncode=code, stdout=output, stderr=b"it broke")

    return run


@pytest.mark.parametrize("output", [b"{", b"[1]", b'[{"code": "F821"}]', b"\xff"])
def test_output_that_is_not_a_report_is_one_note(
    output: bytes, analyze: Analyze, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ruff.subprocess, "run", _ending_with(0, output))
    findings = analyze("def f(a):\n    a = a\n    return a\n")
    assert [f.rule for f in findings] == ["semantics/not-checked", "semantics/self-assignment"]
    assert findings[0].severity is Severity.NOTE
    assert "ruff" in findings[0].message


def test_a_file_that_ends_the_checker_costs_only_its_own_verdicts(
    analyze: Analyze, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, runs = subprocess.run, []

    def run(command: Sequence[str], **options: object) -> object:
        runs.append(command)
        folder = Path(next(part for part in command if "nested-ray-ruff" in part))
        if any("deadly" in file.read_text() for file in folder.iterdir()):
            return SimpleNamespace(returncode=-6, stdout=b"", stderr=b"stack overflow")
        return real(command, **options)  # type: ignore[call-overload]

    texts = {f"m{number}.py": "missing\n" for number in range(9)}
    texts["m4.py"] = "deadly = 1\n"
    monkeypatch.setattr(ruff.subprocess, "run", run)
    findings = analyze(texts)
    assert {f.path for f in findings if f.rule == "semantics/not-checked"} == {"m4.py"}
    assert {f.path for f in findings if f.rule == "semantics/unresolved-name"} == texts.keys() - {
        "m4.py"
    }
    assert len(runs) <= 9  # halves, not one by one


def test_a_checker_that_does_not_end_is_one_note_for_all_files(
    analyze: Analyze, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []

    def run(command: Sequence[str], **options: object) -> object:
        runs.append(command)
        raise subprocess.TimeoutExpired(command, 30)

    monkeypatch.setattr(ruff.subprocess, "run", run)
    (finding,) = analyze({"a.py": "x = 1\n", "b.py": "y = 2\n", "c.py": "z = 3\n"})
    assert (finding.path, finding.rule) == ("a.py", "semantics/not-checked")
    assert "and 2 more" in finding.message and len(runs) == 1
