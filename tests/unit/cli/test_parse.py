"""`nested-ray parse` and `nested-ray validate`, called in the test's own process."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nested_ray.cli.main import app

BROKEN_BSL = "Процедура А()\r\n\tЕсли Б Тогда\r\n\t\tВ();\r\nКонецПроцедуры\r\n"
MENDED_BSL = "Процедура А()\r\n\tЕсли Б Тогда\r\n\t\tВ();\r\n\tКонецЕсли;\r\nКонецПроцедуры\r\n"


def run(*arguments: str | Path, stdin: bytes = b""):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("def f(a:\n    return a\n")
    (tmp_path / "broken.bsl").write_bytes(BROKEN_BSL.encode("cp1251"))
    (tmp_path / "notes.txt").write_text("if (")
    return tmp_path


def test_every_problem_is_one_line_with_its_place(folder: Path) -> None:
    ended = run("validate", folder, "--no-hints")
    assert ended.exit_code == 1
    places = [line for line in ended.stdout.splitlines() if not line.startswith(" ")]
    assert places[0].startswith(f"{folder / 'broken.bsl'}:4:1: ")
    assert places[1].startswith(f"{folder / 'broken.py'}:1:6: ")
    assert len(places) == 2
    assert "3 files, 2 invalid" in ended.stderr


def test_valid_files_end_with_zero(folder: Path) -> None:
    ended = run("validate", folder / "good.py")
    assert (ended.exit_code, ended.stdout) == (0, "")


def test_a_repair_is_named_and_with_diff_shown_but_not_written(folder: Path) -> None:
    broken = folder / "broken.py"
    assert "fix: insert `)`" in run("validate", broken).stdout
    before = broken.read_bytes()
    ended = run("validate", "--diff", broken)
    assert "-def f(a:\n+def f(a):\n" in ended.stdout
    assert (ended.exit_code, broken.read_bytes()) == (1, before)


def test_fix_writes_what_parses_in_the_file_s_own_encoding(folder: Path) -> None:
    ended = run("validate", "--fix", folder)
    assert ended.exit_code == 0
    assert (folder / "broken.bsl").read_bytes() == MENDED_BSL.encode("cp1251")
    assert (folder / "broken.py").read_text() == "def f(a):\n    return a\n"
    assert run("validate", folder).exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "broken.bsl",
        "broken.py",
        "good.py",
        "notes.txt",
    ]


def test_fix_leaves_a_merge_conflict_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    text = "<<<<<<< a\nx = 1\n=======\nx = 2\n>>>>>>> b\n"
    file.write_text(text)
    ended = run("validate", "--fix", file)
    assert (ended.exit_code, file.read_text()) == (1, text)
    assert "no repair found" in ended.stderr


def test_json_holds_places_and_edits(folder: Path) -> None:
    ended = run("validate", "--json", folder / "broken.py")
    [problem] = json.loads(ended.stdout)
    assert (problem["line"], problem["column"], problem["rule"]) == (1, 6, "syntax/invalid-text")
    assert problem["edits"] == [{"start": 7, "end": 7, "text": ")"}]


def test_wrong_usage_ends_with_2(folder: Path) -> None:
    assert run("validate", folder / "nowhere").exit_code == 2
    assert run("validate", folder / "notes.txt").exit_code == 2
    assert run("validate", "--language", "cobol", folder / "good.py").exit_code == 2
    assert run("parse", folder / "notes.txt").exit_code == 2
    assert run("validate", "--fix", "-").exit_code == 2


def test_what_is_no_text_is_invalid(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x\0")
    ended = run("validate", tmp_path / "a.py")
    assert ended.exit_code == 1
    assert "binary" in ended.stdout


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF8, "utf-8"), (b"", "cp1251")],
)
def test_stdin_is_decoded_as_a_file_is(mark: bytes, encoding: str) -> None:
    data = mark + "Если Да Тогда\n\tСообщить(1);\n".encode(encoding)
    ended = run("validate", "-", "--language", "bsl", stdin=data)
    assert ended.exit_code == 1
    assert ended.stdout.startswith("-:")


def test_parse_shows_definitions_inside_each_other(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("import os\n\nclass A:\n    def b(self):\n        return os\n")
    lines = [line.strip("│├└─ ") for line in run("parse", file).stdout.splitlines()]
    assert lines[1:] == ["imports (1)", "1:1 os: os", "3:1 class class A", "4:5 method def b(self)"]


def test_tokens_as_json_are_the_text(tmp_path: Path) -> None:
    file = tmp_path / "a.bsl"
    file.write_text("А = 1; // да\n", encoding="utf-8")
    ended = run("parse", file, "--as", "tokens", "--json")
    tokens = json.loads(ended.stdout)["tokens"]
    assert [token["text"] for token in tokens] == ["А", "=", "1", ";", "// да"]
    assert [token["kind"] for token in tokens] == [
        *("name", "operator", "number", "punctuation", "comment"),
    ]


def test_symbols_show_who_is_bound_where(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("def f(a):\n    return a + b\n")
    shown = run("parse", file, "--as", "symbols").stdout
    assert "1:7 parameter a, used" in shown
    assert "bound elsewhere (1): b" in shown


def test_parse_of_a_broken_file_shows_what_it_can_and_ends_with_1(folder: Path) -> None:
    ended = run("parse", folder / "broken.bsl")
    assert ended.exit_code == 1
    assert "procedure" in ended.stdout
    assert "broken.bsl:4:1:" in ended.stderr


def test_queries_name_their_tables_and_parameters(tmp_path: Path) -> None:
    file = tmp_path / "a.bsl"
    query = "ВЫБРАТЬ Т.Ссылка ИЗ Справочник.Товары КАК Т ГДЕ Т.Код = &Код"
    file.write_text(f'А = "{query}";\n', encoding="utf-8")
    shown = run("parse", file, "--as", "queries").stdout
    assert "1:5 query" in shown
    assert "tables (1): Справочник.Товары" in shown
    assert "parameters (1): Код" in shown
    [found] = json.loads(run("parse", file, "--as", "queries", "--json").stdout)["queries"]
    assert found["text"] == query
    (tmp_path / "a.py").write_text("x = 1\n")
    assert run("parse", tmp_path / "a.py", "--as", "queries").exit_code == 2
