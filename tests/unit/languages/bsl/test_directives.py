import itertools

import pytest

from nested_ray.languages.bsl.directives import Line, parse_directive


@pytest.mark.parametrize(
    ("spelling", "line"),
    [
        ("#Если Сервер Тогда", Line.IF),
        ("# elsif NOT Client Then // later", Line.ELSIF),
        ("#Иначе", Line.ELSE),
        ("#КонецЕсли // Сервер", Line.END_IF),
        ("#Область Имя_1", Line.REGION),
        ("#EndRegion", Line.END_REGION),
        ("#Использовать asserts", Line.USE),
        ("#Вставка", Line.OTHER),
        ("#Удаление\nА = (\n#КонецУдаления", Line.OTHER),
        ("#Удаление\nА = (\n", Line.UNFINISHED),
        ("#!/usr/bin/oscript", Line.OTHER),
        ("#Есл", Line.UNFINISHED),
        ("#Если Сервер И", Line.UNFINISHED),
        ("#Область", Line.UNFINISHED),
        ("#Если И Сервер Тогда", Line.MALFORMED),
        ("#Если (Сервер Тогда", Line.MALFORMED),
        ("#Если Сервер Клиент Тогда", Line.MALFORMED),
        ("#Если Тогда", Line.MALFORMED),
        ("#Иначе А = 1;", Line.MALFORMED),
        ("#Чужое", Line.MALFORMED),
    ],
)
def test_line_is_recognised(spelling: str, line: Line) -> None:
    assert parse_directive(spelling).line is line


@pytest.mark.parametrize(
    ("condition", "same_in_python"),
    [
        ("А Или Б И В", "a or b and c"),
        ("Не А И Б", "not a and b"),
        ("Не (А Или Б) Или В", "not (a or b) or c"),
        ("А И Не Не Б", "a and not not b"),
        ("(А Или Б) И (Б Или В)", "(a or b) and (b or c)"),
        ("A Or Not B And C", None),
    ],
)
def test_condition_holds_as_python_says(condition: str, same_in_python: str | None) -> None:
    directive = parse_directive(f"#Если {condition} Тогда")
    russian, english = ("а", "б", "в"), ("a", "b", "c")
    expression = same_in_python or condition.lower()
    names = russian if same_in_python else english
    assert directive.holds
    for values in itertools.product((False, True), repeat=3):
        true = frozenset(name for name, value in zip(names, values, strict=True) if value)
        wanted = eval(expression, dict(zip(english, values, strict=True)))
        assert directive.holds(true) == wanted
