"""Any bytes give findings or a refusal: never a traceback. tests/bench/fuzz_bytes.py does more of the same."""

from __future__ import annotations

import codecs
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.analyzers.syntax import SyntaxAnalyzer, mend
from nested_ray.languages import LANGUAGES, Language
from tests.bench.fuzz_bytes import SEARCHES, STEPS, damage, judge

every_language = pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.name)

CODE = (
    'Процедура А(Б, Знач В = 1) Экспорт\n\tЕсли Б Тогда\n\t\tВ = "а\n\t\t|б";\n\tКонецЕсли;\nКонецПроцедуры\n',
    "#Если Сервер Тогда\n&НаСервере\nФункция Д()\n\tВозврат ?(А, 1, '20200101');\nКонецФункции\n#КонецЕсли\n",
    "def f(a, *, b=1):\n    '''doc'''\n    return [x for x in a if f'{x!r}']\n",
    "class A(B):\n    async def g(self):\n        with a as b:\n            await self.g()\n",
)


@every_language
@given(data=st.binary(max_size=100))
@settings(max_examples=20, deadline=None)
def test_random_bytes_are_survived(language: Language, data: bytes) -> None:
    assert judge(language, data, without=SEARCHES)[0] == []


@every_language
@given(
    code=st.sampled_from(CODE),
    seed=st.integers(0, 10**6),
    encoding=st.sampled_from(["utf-8", "cp1251", "utf-16", "utf-8-sig"]),
)
@settings(max_examples=20, deadline=None)
def test_damaged_code_is_survived(language: Language, code: str, seed: int, encoding: str) -> None:
    damaged = damage(random.Random(seed), code.encode(encoding, "replace"))
    assert judge(language, damaged, without=SEARCHES)[0] == []


HOSTILE = [
    "(" * 3_000,
    "(" * 2_000 + ")" * 2_000,
    "Если А Тогда\n" * 500,
    "".join(" " * n + "if a:\n" for n in range(150)),
    '"' * 999,
    "'''" * 333,
    "\0" * 500,
    "АB" * 5_000,
    "#Если А Тогда\n" * 300,
    "<<<<<<< a\n" * 200,
    "\u202e" * 500,
    codecs.BOM_UTF8.decode() * 200,
]


@every_language
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:14]))
def test_hostile_texts_are_judged(language: Language, text: str) -> None:
    without_search = SyntaxAnalyzer(with_fixes=False)
    for finding in without_search.analyze_text(language, "file", text):
        assert 0 <= finding.span.start <= finding.span.end <= len(text)
    for name, step in STEPS.items():
        if name not in SEARCHES:
            step(language, text)


@pytest.mark.parametrize("text", ["x = [" * 60, "Если А Тогда\n" * 60], ids=("brackets", "blocks"))
def test_the_search_for_a_repair_ends_on_hostile_texts(text: str) -> None:
    language = LANGUAGES[0] if "[" in text else LANGUAGES[1]
    fix = mend(language, text)
    assert fix is None or language.check(fix.apply(text)) is None
