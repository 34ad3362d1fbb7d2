"""Any text gets findings or none, within bounds, in order, and the same each time."""

from __future__ import annotations

from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.analyzers.findings import Finding
from nested_ray.analyzers.semantics import SemanticsAnalyzer
from tests.unit.analyzers.semantics.conftest import TextRepository
from tests.unit.analyzers.semantics.test_fixtures import FIXTURES, PLACES, marked

BSL, PYTHON = PLACES["bsl_common"], PLACES["python"]
MAX_SECONDS = 30.0
"""Of processor time; ordinary texts of this size need a hundredth of it."""


def _analyze(path: str, text: str) -> list[Finding]:
    return list(SemanticsAnalyzer().analyze(TextRepository({path: text}), [path]))


def _check(path: str, text: str) -> None:
    found = _analyze(path, text)
    assert [(f.span.start, f.span.end) for f in found] == sorted(
        (f.span.start, f.span.end) for f in found
    )
    for finding in found:
        assert 0 <= finding.span.start <= finding.span.end <= len(text)
        assert 0.0 < finding.confidence <= 1.0 and finding.message


SOURCES = {path.stem: marked(path.read_text("utf-8"))[0] for path in FIXTURES}


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_damaged_bsl(data: st.DataObject) -> None:
    text = SOURCES[data.draw(st.sampled_from(["bsl_common_ru", "bsl_form_ru", "bsl_common_en"]))]
    lines = text.splitlines(keepends=True)
    start = data.draw(st.integers(0, len(lines) - 1))
    removed = data.draw(st.integers(0, 3))
    inserted = data.draw(
        st.sampled_from(["", ";\n", "#Если Сервер Тогда\n", "Возврат;\n", "\0", "(", "~А:\n"])
    )
    _check(BSL, "".join([*lines[:start], inserted, *lines[start + removed :]]))


@given(text=st.text(max_size=200))
@settings(max_examples=15, deadline=None)
def test_random_text(text: str) -> None:
    _check(BSL, text)
    _check(PYTHON, text)


HOSTILE = {
    "nested calls": (
        BSL,
        "Процедура А() Экспорт\n" + "Б(" * 20_000 + "1" + ")" * 20_000 + ";\nКонецПроцедуры",
    ),
    "nested conditions": (
        BSL,
        "Процедура А() Экспорт\n"
        + "Если Б Тогда\n" * 10_000
        + "КонецЕсли;\n" * 10_000
        + "КонецПроцедуры",
    ),
    "one long or": (
        BSL,
        "Процедура А(Б) Экспорт\nБ = " + "Б.В Или " * 10_000 + "Б;\nКонецПроцедуры",
    ),
    "brackets in an or": (
        BSL,
        "Процедура А(Б) Экспорт\nБ = "
        + "(Б Или " * 10_000
        + "1"
        + ")" * 10_000
        + ";\nКонецПроцедуры",
    ),
    "many methods": (
        BSL,
        "".join(f"Процедура А{n}(Б)\nБ = Б;\nКонецПроцедуры\n" for n in range(2_000)),
    ),
    "many preprocessor conditions": (
        BSL,
        "Процедура А(Б) Экспорт\n"
        + "#Если Сервер Тогда\nБ = 1;\n#КонецЕсли\n" * 10_000
        + "КонецПроцедуры",
    ),
    "many returns": (BSL, "Функция А(Б) Экспорт\n" + "Возврат 1;\n" * 10_000 + "КонецФункции"),
    "an endless string": (BSL, 'Процедура А() Экспорт\nБ = "' + "а" * 1_000_000),
    "nested functions": (
        PYTHON,
        "".join("\t" * n + f"def f{n}(a):\n" for n in range(95)) + "\t" * 95 + "return a\n",
    ),
    "a long chain": (PYTHON, "x = a" + ".b" * 20_000 + "\n"),
    "a long sum": (PYTHON, "a = 1\nx = " + "a + " * 20_000 + "a\n"),
    "deep signs": (PYTHON, "x = " + "-" * 20_000 + "1\n"),
    "many elifs": (
        PYTHON,
        "def f(a):\n    if a == 0: return 1\n"
        + "".join(f"    elif a == {n}: return {n}\n" for n in range(1, 2_000)),
    ),
    "many definitions": (PYTHON, "".join(f"def f{n}(a):\n    return b{n}\n" for n in range(1_500))),
    "NUL": (PYTHON, "x = 1\0\n"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_ends_soon(name: str) -> None:
    path, text = HOSTILE[name]
    began = thread_time()
    _check(path, text)
    assert thread_time() - began < MAX_SECONDS
