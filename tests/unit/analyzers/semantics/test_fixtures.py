"""Texts whose lines say what they must be found by: `code  # ! rule`; every other line by nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from nested_ray.analyzers.semantics.rules import NOT_CHECKED, RULES
from tests.unit.analyzers.semantics.conftest import Analyze

FOLDER = Path(__file__).parents[3] / "data" / "semantics"
FIXTURES = sorted(FOLDER.glob("*.txt"))

CONFIGURATION = {
    "src/CommonModules/Склад/Ext/Module.bsl": (
        "Процедура Отгрузить(Количество) Экспорт\n\tСкрытая(Количество);\nКонецПроцедуры\n"
        "Процедура Скрытая(Количество = 0)\n\tСообщить(Количество);\nКонецПроцедуры\n"
        "Функция Остаток(Склад = 0) Экспорт\n\tВозврат Склад;\nКонецФункции\n"
    ),
    "src/CommonModules/Общий/Ext/Module.bsl": (
        "Процедура ГлобальныйМетод(А) Экспорт\n\tСообщить(А);\nКонецПроцедуры\n"
    ),
    "src/Catalogs/Товары/Ext/ManagerModule.bsl": (
        "Функция Цена(Товар) Экспорт\n\tВозврат Товар;\nКонецФункции\n"
    ),
    "src/Ext/ManagedApplicationModule.bsl": "Перем ГлавнаяПеременная Экспорт;\n",
}
"""What surrounds a BSL fixture."""
PLACES = {
    "python": "package/code.py",
    "bsl_common": "src/CommonModules/Проверяемый/Ext/Module.bsl",
    "bsl_form": "src/Catalogs/Товары/Forms/Форма/Ext/Form/Module.bsl",
}


def marked(text: str) -> tuple[str, list[str]]:
    """The text without its marks (a remark may change a verdict), and `row rule` of each, sorted."""
    rows: list[str] = []
    expected: list[str] = []
    for number, row in enumerate(text.splitlines(), start=1):
        for mark in ("  # ! ", "  // ! "):
            row, _, names = row.partition(mark) if mark in row else (row, "", "")
            expected += [f"{number} {name}" for name in names.split()]
        rows.append(row)
    return "\n".join(rows) + "\n", sorted(expected)


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_exactly_the_marked_lines_are_found(fixture: Path, analyze: Analyze) -> None:
    text, expected = marked(fixture.read_text("utf-8"))
    place = next(path for start, path in PLACES.items() if fixture.stem.startswith(start))
    surroundings = CONFIGURATION if place.endswith(".bsl") else {}
    findings = analyze({**surroundings, place: text}, only=place)
    found = [
        f"{text.count(chr(10), 0, f.span.start) + 1} {f.rule.partition('/')[2]}" for f in findings
    ]
    assert sorted(found) == expected
    assert [f.span.start for f in findings] == sorted(f.span.start for f in findings)


def test_every_rule_is_found_in_some_fixture() -> None:
    marks = {mark.split()[1] for path in FIXTURES for mark in marked(path.read_text("utf-8"))[1]}
    assert marks == {rule.id.partition("/")[2] for rule in RULES if rule is not NOT_CHECKED}


def test_surroundings_of_the_fixtures_are_clean(analyze: Analyze) -> None:
    assert analyze(CONFIGURATION) == []
