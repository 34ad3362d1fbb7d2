"""What a broken text is repaired to. Expected texts are what a person would have written."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.analyzers.syntax import in_context, mend, repair
from nested_ray.languages import get_language

BSL_METHOD = """Процедура Заполнить(Список)
	Для Каждого Строка Из Список Цикл
		Если Строка.Пометка Тогда
			Добавить(Строка.Значение, 1);
		КонецЕсли;
	КонецЦикла;
КонецПроцедуры
"""
PYTHON_FUNCTION = '''def total(rows, start=0):
    """Sum of the marked rows."""
    for row in rows:
        if row.marked and row.value > 0:
            start += int(row.value)
    return [start, len(rows)]
'''


def first_repair(language_name: str, text: str) -> str:
    language = get_language(language_name)
    issue = language.check(text)
    assert issue is not None
    repairs = repair(language, text, issue)
    return repairs[0].as_fix().apply(text) if repairs else ""


@pytest.mark.parametrize(
    ("missing", "number"),
    [
        *(("Каждого", 0), ("Тогда", 0), ("Цикл", 0), ("КонецЕсли;", 0), ("КонецЦикла;", 0)),
        *(("(", 0), ("(", 1), (")", 0), (")", 1), ("КонецПроцедуры", 0), (",", 0)),
        *(("Из", 0), ("Если", 0), ("Для", 0)),
    ],
)
def test_what_was_left_out_of_bsl_is_put_back(missing: str, number: int) -> None:
    # In small letters and without line ends: blanks do not count, and the case of a keyword neither.
    broken = without(BSL_METHOD, missing, number)
    repaired = first_repair("bsl", broken)
    assert "".join(repaired.lower().split()) == "".join(BSL_METHOD.lower().split())


@pytest.mark.parametrize(
    ("missing", "number"),
    [
        *(("def", 0), (":", 0), (":", 1), (":", 2), ("(", 0), (")", 0), (")", 1), ("(", 1)),
        *(("in", 0), ("]", 0), (")", 2)),
    ],
)
def test_what_was_left_out_of_python_is_put_back(missing: str, number: int) -> None:
    broken = without(PYTHON_FUNCTION, missing, number)
    repaired = first_repair("python", broken)
    assert "".join(repaired.split()) == "".join(PYTHON_FUNCTION.split())


def without(text: str, part: str, number: int) -> str:
    """The text without the part where it stands as a token for the (number + 1)th time."""

    word = rf"\b{part}\b" if part.isalpha() else re.escape(part)
    match = list(re.finditer(word, text))[number]
    return text[: match.start()].rstrip("\t") + " " + text[match.end() :]


@pytest.mark.parametrize(
    ("language", "broken", "repaired"),
    [
        ("python", "if a:\n    x\nelse if b:\n    y\n", "if a:\n    x\nelif b:\n    y\n"),
        ("python", "print 'x'\n", "print('x')\n"),
        ("python", "x = “abc”\n", 'x = "abc"\n'),
        ("python", "def f():\nreturn 1\n", "def f():\n    return 1\n"),
        ("python", "x = [1, 2\ny = 3\n", "x = [1, 2]\ny = 3\n"),
        ("python", "if x = 1:\n    pass\n", "if x == 1:\n    pass\n"),
        ("python", "x = foo(1, 'a)\n", "x = foo(1, 'a')\n"),
        ("python", "x = 1\n  y = 2\n", "x = 1\ny = 2\n"),
        (
            "bsl",
            "Если А == 1 Тогда\n\tБ();\nКонецЕсли;\n",
            "Если А = 1 Тогда\n\tБ();\nКонецЕсли;\n",
        ),
        ("bsl", "Если А Тогд\n\tБ();\nКонецЕсли;\n", "Если А Тогда\n\tБ();\nКонецЕсли;\n"),
        ("bsl", 'Сообщить("x);\n', 'Сообщить("x");\n'),
        ("bsl", "Сообщить((А);\n", "Сообщить(А);\n"),
    ],
)
def test_common_slips_are_corrected(language: str, broken: str, repaired: str) -> None:
    assert first_repair(language, broken) == repaired


def test_a_missing_end_is_placed_by_indentation_not_where_the_parser_stops() -> None:
    broken = (
        "Процедура А()\n\tЕсли Б Тогда\n\t\tЕсли В Тогда\n\t\t\tГ();\n\t\tД();\n\tКонецЕсли;\n\n"
        "КонецПроцедуры\n"
    )
    expected = (
        "Процедура А()\n\tЕсли Б Тогда\n\t\tЕсли В Тогда\n\t\t\tГ();\n\t\tКонецЕсли;\n\t\tД();\n"
        "\tКонецЕсли;\n\nКонецПроцедуры\n"
    )
    assert first_repair("bsl", broken) == expected


def test_an_english_module_gets_english_words() -> None:
    broken = "Procedure A()\n\tIf B Then\n\t\tC();\nEndProcedure\n"
    assert "\tEndIf;\nEndProcedure" in first_repair("bsl", broken)


def test_two_errors_in_one_method_are_repaired_together() -> None:
    broken = BSL_METHOD.replace("Тогда", "").replace("1);", "1;")
    assert get_language("bsl").check(first_repair("bsl", broken)) is None


def test_errors_in_two_methods_are_mended_one_after_the_other() -> None:
    language = get_language("bsl")
    whole = BSL_METHOD + "\n" + BSL_METHOD.replace("Заполнить", "Дополнить")
    broken = whole.replace("1);", "1;")
    issue = language.check(broken)
    assert issue
    # The first repair alone leaves the second method broken.
    assert language.check(repair(language, broken, issue)[0].as_fix().apply(broken)) is not None
    fix = mend(language, broken)
    assert fix and fix.apply(broken) == whole


def test_nothing_is_mended_in_a_file_that_parses_or_holds_a_conflict() -> None:
    assert mend(get_language("python"), PYTHON_FUNCTION) is None
    assert mend(get_language("python"), "<<<<<<< a\nx = 1\n=======\nx = 2\n>>>>>>> b\n") is None


def test_a_scorer_decides_between_repairs() -> None:
    language = get_language("python")
    text = "import os sys\n"
    issue = language.check(text)
    assert issue

    def prefers_comma(texts):
        return [100.0 if "os, sys" in each else 0.0 for each in texts]

    best = repair(language, text, issue, scorer=prefers_comma)[0]
    assert best.as_fix().apply(text) == "import os, sys\n"


def test_a_scorer_of_continuations_sees_the_lines_that_differ() -> None:
    seen = []

    def score(prefix, continuations):
        seen.append((prefix, list(continuations)))
        return [0.0] * len(continuations)

    before, after = "a\nb\n", "\nc\nd\ne\nf\n"
    in_context(score)([before + "x y" + after, before + "x, y" + after])
    assert seen == [(before, ["x y\nc\n", "x, y\nc\n"])]


@given(
    words=st.lists(st.sampled_from(BSL_METHOD.split() + list("();,.=\n")), max_size=30),
    name=st.sampled_from(["bsl", "python"]),
)
@settings(max_examples=12, deadline=None)
def test_every_repair_of_a_lone_part_parses(words: list[str], name: str) -> None:
    language = get_language(name)
    text = " ".join(words)
    issue = language.check(text)
    for each in repair(language, text, issue) if issue else []:
        spans = [edit.span for edit in each.edits]
        assert all(one.end <= other.start for one, other in pairwise(spans))
        if len(list(language.heading.finditer(text))) < 2:
            assert language.check(each.as_fix().apply(text)) is None
