"""What the syntax measurement counts, on files small enough to count by hand."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from nested_ray.cli.main import app
from nested_ray.evals.mutations import Mutation
from nested_ray.evals.syntax import KindCounts, SyntaxReport, is_placed, measure_syntax
from nested_ray.evals.syntax_table import to_markdown
from nested_ray.evals.timing import interleaved, quantile
from nested_ray.languages import get_language
from nested_ray.languages.base import Span, SyntaxIssue
from nested_ray.repository.base import SourceFile

BSL = "".join(
    f"Процедура М{n}(Список)\n\tДля Каждого Строка Из Список Цикл\n\t\tЕсли Строка.А > {n} Тогда\n"
    f"\t\t\tДобавить(Строка.Б, {n});\n\t\tКонецЕсли;\n\tКонецЦикла;\nКонецПроцедуры\n\n"
    for n in range(4)
)
PYTHON = "".join(
    f"def f{n}(rows, start={n}):\n    return [row + start for row in rows]\n\n\n" for n in range(9)
)


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@pytest.mark.parametrize(
    ("language", "text", "broken"), [("bsl", BSL, "А = ;\n"), ("python", PYTHON, "x = (\n")]
)
def test_files_that_do_not_parse_are_false_alarms_and_the_rest_is_changed(
    language: str, text: str, broken: str
) -> None:
    files = [SourceFile("good", language, text), SourceFile("bad", language, broken)]
    report = measure_syntax(files, num_mutations=16, num_repairs=8, seed=1, on_progress=silent)
    assert (report.num_files, report.num_chars) == (2, len(text) + len(broken))
    assert [alarm.partition(":")[0] for alarm in report.false_alarms] == ["bad"]
    counts = report.kinds.values()
    assert [each.num_made for each in counts] == [4, 4, 4, 4]
    for each in counts:
        assert each.num_made >= each.num_broken >= each.num_found >= each.num_placed
        assert each.num_asked >= each.num_repaired >= each.num_restored
        assert each.num_among >= each.num_restored
    assert sum(each.num_asked for each in counts) == len(report.repair_seconds) > 0
    assert report.speed and set(report.speed.mb_per_s) >= {"check", "tokens"}
    assert report.insertion and report.insertion.num_lines == text.count("\n")


@pytest.mark.parametrize(
    ("at", "expected"), [(0, False), (4, True), (6, True), (8, True), (9, False)]
)
def test_an_error_is_placed_within_one_token_of_the_change(at: int, expected: bool) -> None:
    # What was changed is the token at 6; its neighbours stand at 4 and 8.
    text = "a . b 1 1 c\n"
    mutation = Mutation("duplicate", text, 6, 7)
    tokens = get_language("bsl").tokens(text)
    assert [token.span.start for token in tokens] == [0, 2, 4, 6, 8, 10]
    issue = SyntaxIssue(Span(at, at + 1), "")
    assert is_placed(get_language("bsl"), mutation, issue) is expected


def test_ways_are_timed_in_turns() -> None:
    order: list[str] = []
    times = interleaved({name: lambda name=name: order.append(name) for name in "ab"}, num_rounds=3)
    assert order == ["a", "b"] * 3
    assert set(times) == {"a", "b"}


def test_a_quantile_is_a_value_of_the_list() -> None:
    assert [quantile([3.0, 1.0, 2.0, 4.0], share) for share in (0.0, 0.5, 0.99, 1.0)] == [
        1,
        3,
        4,
        4,
    ]


def test_the_table_sums_the_kinds() -> None:
    report = SyntaxReport("bsl", 1, 10, judge="hand")
    report.kinds = {
        "delete": KindCounts(num_made=4, num_broken=3, num_found=3, num_placed=2),
        "swap": KindCounts(num_made=2, num_broken=1, num_found=0),
    }
    rows = [line for line in to_markdown(report).splitlines() if line.startswith("| all")]
    assert rows[0].startswith("| all | 6 | 4 | 75.00 | 66.67 | 0 |")


def test_the_command_measures_a_folder(tmp_path) -> None:
    (tmp_path / "a.py").write_text(PYTHON)
    out = tmp_path / "report.json"
    options = ["--mutations", "4", "--repairs", "4", "--json", "--out", str(out)]
    ended = CliRunner().invoke(
        app, ["bench", "levels", "syntax", "--corpus", str(tmp_path), *options]
    )
    assert ended.exit_code == 0
    assert json.loads(ended.stdout) == json.loads(out.read_text())
    assert json.loads(ended.stdout)[0]["num_files"] == 1


def test_a_corpus_without_code_is_wrong_usage(tmp_path) -> None:
    ended = CliRunner().invoke(app, ["bench", "levels", "syntax", "--corpus", str(tmp_path)])
    assert ended.exit_code == 2
