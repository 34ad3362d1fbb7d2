"""What the syntax analyzer reports."""

from __future__ import annotations

import pytest

from nested_ray.analyzers.findings import Finding, Severity
from nested_ray.analyzers.syntax import SyntaxAnalyzer
from nested_ray.languages import get_language


def findings(language: str, text: str) -> list[Finding]:
    return SyntaxAnalyzer().analyze_text(get_language(language), "file", text)


def described(language: str, text: str) -> list[tuple[str, str]]:
    return [
        (f.rule.partition("/")[2], text[f.span.start : f.span.end])
        for f in findings(language, text)
    ]


def test_valid_files_have_no_findings() -> None:
    assert findings("python", "x = 1\n") == []
    assert findings("bsl", "А = 1;\n") == []


def test_an_error_is_found_where_it_stands_with_a_fix() -> None:
    text = "Если А Тогда\n\tБ(;\nКонецЕсли;\n"
    [found] = findings("bsl", text)
    assert (found.rule, found.severity) == ("syntax/invalid-text", Severity.ERROR)
    assert text[found.span.start : found.span.end] == ";"
    assert found.span.start == text.index("Б(") + 2
    assert "`)`" in found.message or ")" in found.witness
    assert found.fix and found.fix.apply(text) == text.replace("(;", "();")


def test_later_methods_are_judged_alone() -> None:
    text = (
        "Процедура А()\n\tБ(;\nКонецПроцедуры\n\nПроцедура В()\n\tГ();\nКонецПроцедуры\n\n"
        "Функция Д()\n\tВозврат +;\nКонецФункции\n"
    )
    assert described("bsl", text) == [("invalid-text", ";"), ("invalid-text", ";")]
    assert findings("bsl", text)[1].span.start == text.index("+;") + 1


def test_later_functions_of_python_are_judged_alone_unless_a_string_runs_into_them() -> None:
    certain = "def f(:\n    pass\n\ndef g():\n    return 1\n\ndef h():\n    return )\n"
    assert [f.span.start for f in findings("python", certain)] == [
        certain.index(":"),
        certain.index(" )") + 1,
    ]
    in_string = "def f(:\n    x = '''\n\ndef h():\n    return )\n'''\n"
    assert len(findings("python", in_string)) == 1


def test_a_broken_method_under_a_condition_is_not_judged_alone() -> None:
    text = (
        "Процедура А()\n\tБ(;\nКонецПроцедуры\n#Если Сервер Тогда\nПроцедура В()\n#Иначе\n"
        "Процедура Г()\n#КонецЕсли\nКонецПроцедуры\n"
    )
    assert len(findings("bsl", text)) == 1


def test_a_conflict_is_one_finding_and_the_rest_is_still_read() -> None:
    conflict = "x = 1\n<<<<<<< HEAD\ny = 2\n||||||| base\ny = 0\n=======\ny = 3\n>>>>>>> theirs\n"
    assert described("python", conflict) == [("conflict-marker", "<<<<<<< HEAD")]
    found = findings("python", conflict + "z = )\n")
    assert [f.rule for f in found] == ["syntax/conflict-marker", "syntax/invalid-text"]
    assert found[1].span.start == len(conflict) + 4


def test_marks_like_a_conflict_in_a_string_are_none() -> None:
    assert findings("python", '"""\n<<<<<<< a\n=======\n>>>>>>> b\n"""\n') == []


@pytest.mark.parametrize(
    "name",
    [
        "ПолучитьXML",
        "HTTPСоединение",
        "ТипCOMОбъекта",
        "КодISO",
        "Элемент_A",
        "ИмяA",
        "АдресXMLВXDTO",
        "ПутьКCOM",
    ],
)
def test_names_that_mix_alphabets_on_purpose_are_left_alone(name: str) -> None:
    assert findings("bsl", f"{name} = 1;\n") == []


def test_a_latin_letter_in_a_cyrillic_name_is_found() -> None:
    text = "Строка = 1;\nСтрoка = 2;\n"  # Latin o in the second
    [found] = findings("bsl", text)
    assert found.rule == "syntax/suspicious-character"
    assert found.fix and found.fix.apply(text) == "Строка = 1;\nСтрока = 2;\n"


def test_a_name_that_the_file_does_not_know_in_one_alphabet_is_not_renamed() -> None:
    [found] = findings("bsl", "Верблюдoв = 2;\n")  # Latin o
    assert found.fix is None and found.confidence < 1


def test_a_keyword_with_a_foreign_letter_is_said_once() -> None:
    text = "Eсли А Тогда\n\tБ();\nКонецЕсли;\n"  # Latin E
    [found] = findings("bsl", text)
    assert found.rule == "syntax/suspicious-character"
    assert found.fix and found.fix.apply(text).startswith("Если А")


def test_a_cyrillic_letter_in_a_latin_name_of_python_is_found() -> None:
    assert described("python", "scope = 1\nscоpe = 2\n") == [("suspicious-character", "scоpe")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1  # \u202eabc\n", [("suspicious-character", "\u202e")]),
        ("x = '\u202eabc'\n", [("suspicious-character", "\u202e")]),
        ("x = '\u00a0 \u200b'  # \u00a0\n", []),
        ("x =\u00a01\n", [("suspicious-character", "\u00a0")]),
        ("x = \0 1\n", [("suspicious-character", "\0")]),
    ],
)
def test_invisible_characters(text: str, expected: list[tuple[str, str]]) -> None:
    assert described("python", text) == expected


def test_fixes_of_invisible_characters_leave_strings_alone() -> None:
    in_code, in_string = "x =\u00a01\n", "x = '\u202eabc'\n"
    fix = findings("python", in_code)[0].fix
    assert fix and fix.apply(in_code) == "x = 1\n"
    assert findings("python", in_string)[0].fix is None


def test_a_broken_query_is_found_in_its_string() -> None:
    valid = (
        'Запрос.Текст = "ВЫБРАТЬ\n\t|\tТовары.Ссылка\n\t|ИЗ\n\t|\tСправочник.Товары КАК Товары";\n'
    )
    broken = valid.replace("ИЗ", "ИЗ ИЗ")
    assert findings("bsl", valid) == []
    [found] = findings("bsl", broken)
    assert found.rule == "syntax/invalid-query"
    assert found.span.start == broken.index("ИЗ ИЗ") + 3
