"""Injected bugs: valid, different, repeatable."""

from __future__ import annotations

from textwrap import dedent

import pytest

from nested_ray.bugs.candidates import find_slots
from nested_ray.bugs.inject import changes_meaning, inject
from nested_ray.bugs.reading import read_code
from nested_ray.bugs.slots import KINDS
from nested_ray.languages import get_language

PYTHON = dedent('''
    def clamp(value, low, high, strict=False):
        """Keep a value between two bounds."""
        if value < low and not strict:
            return low
        if value == high:
            return max(value, 0)
        step = high - low
        return place(value, step, flag=True)
    ''')

BSL = """
Функция Ограничить(Значение, Низ, Верх) Экспорт
    Если Значение < Низ И Верх <> 0 Тогда
        Возврат Низ;
    КонецЕсли;
    Шаг = Верх - Низ;
    Готово = Истина;
    Возврат Разместить(Значение, Шаг);
КонецФункции
"""


@pytest.mark.parametrize(("name", "text"), [("python", PYTHON), ("bsl", BSL)])
def test_bugs_of_every_kind_are_valid_and_differ_in_the_slot_alone(name: str, text: str) -> None:
    language = get_language(name)
    bugs = list(inject(text, language, seed=3, per_kind=2))
    assert {bug.kind for bug in bugs} == set(KINDS)
    for bug in bugs:
        assert language.check(bug.text) is None
        span = bug.slot.span
        assert bug.text[: span.start] == text[: span.start]
        assert bug.text.endswith(text[span.end :])
        assert bug.text[span.start : span.start + len(bug.wrong)] == bug.wrong
        assert bug.wrong != bug.right == text[span.start : span.end]


def test_same_seed_same_bugs_and_another_seed_others() -> None:
    language = get_language("python")
    first, again, other = (
        [bug.text for bug in inject(PYTHON, language, seed=seed, per_kind=3)] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_text_without_functions_has_no_bugs_to_inject() -> None:
    for text in ("", "x = 1\n", "\0", "def f(:\n", "(" * 5000):
        assert list(inject(text, get_language("python"), seed=0)) == []


def meaningful(text: str, kind: str) -> list[tuple[str, ...]]:
    code = read_code(text, get_language("python"))
    return [
        slot.options
        for slot in find_slots(code)
        if slot.kind == kind and changes_meaning(code, slot, 1)
    ]


def test_options_that_mean_the_same_are_no_bugs() -> None:
    assert meaningful("def f(a, b):\n    return a + 0 or a or a\n", "operator") == [("or", "and")]
    assert meaningful("def f(a):\n    b = a\n    return b\n", "name") == []
    assert meaningful("def f(a, c):\n    b = a + c\n    return b\n", "name") != []
