"""What is remembered of a module never changes an answer."""

import pickle
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.languages import Validity
from nested_ray.languages.bsl import Bsl, incremental
from nested_ray.languages.bsl.incremental import Incremental, Remembered

BSL = Bsl()  # one for all examples: what it remembers of one must not spoil another
FORGETFUL = Bsl()
FORGETFUL._incremental = Mock(Incremental, read_end=Mock(return_value=None))

PARTS = (
    "Перем А;\n",
    "&НаКлиенте\nПерем А;\n",
    "Процедура П()\n\tА();\nКонецПроцедуры\n",
    "Процедура Р(А, Б)\n\tЕсли А Тогда\n\t\tБ();\n\tКонецЕсли;\nКонецПроцедуры\n",
    "Функция Ф()\n\tВозврат 1;\nКонецФункции\n",
    "Асинх Функция Г()\n\tЖдать А();\n\tВозврат 1;\n  EndFunction // да\n",
    "Процедура П() Перейти ~М;\n~М:\nКонецПроцедуры",
    "\n#Если Сервер Тогда\n",
    "\n#ИначеЕсли Клиент Тогда\n",
    "\n#Иначе\n",
    "\n#КонецЕсли\n",
    "\n#Область А\n",
    "\n#КонецОбласти\n",
    "\n#Удаление\nКонецПроцедуры\n#КонецУдаления\n",
    "\n#Удал",
    "ение\n",
    "\tЕсли А Тогда\n",
    "\tКонецЕсли;\n",
    "\tА = 1;\n",
    "\tА.\n",
    '\tБ = "текст\n\t|',
    '";\n',
    "\nКонецПроцедуры",
    "\nКонецФункции\n",
    "ы",
    "(",
    " ",
)
modules = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


@given(modules, st.data())
@settings(max_examples=150)
def test_insertion_is_judged_as_the_whole_text_is(text: str, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(text)))
    second = data.draw(st.integers(first, len(text)))
    parts = text[:first], text[first:second], text[second:]
    assert BSL.check_insert(*parts) == (BSL.check(text) is None)


@given(modules, st.data())
@settings(max_examples=150)
def test_beginning_is_judged_as_the_whole_text_is(text: str, data: st.DataObject) -> None:
    text = text[: data.draw(st.integers(0, len(text)))]
    assert BSL.check_prefix(text) is FORGETFUL.check_prefix(text)


METHOD = "Процедура П{}()\n\tА = {};\nКонецПроцедуры\n"


def test_only_the_method_around_an_insertion_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    language, read = Bsl(), []
    tokenize = incremental.tokenize
    monkeypatch.setattr(incremental, "tokenize", lambda text: read.append(text) or tokenize(text))
    methods = [METHOD.format(number, number) for number in range(100)]
    prefix, suffix = (
        "".join(methods[:50]) + "Процедура Н()\n",
        "\nКонецПроцедуры\n" + "".join(methods[50:]),
    )
    assert language.check_insert(prefix, "Б = 1;", suffix)
    read.clear()
    assert language.check_insert(prefix, "Б = 22;", suffix)
    assert not language.check_insert(prefix, "Б = (2;", suffix)
    assert [text.strip() for text in read] == [
        f"Процедура Н()\n{inserted}\nКонецПроцедуры" for inserted in ("Б = 22;", "Б = (2;")
    ]  # fmt: skip
    read.clear()
    assert language.check_prefix(prefix + "Б = ") is Validity.INCOMPLETE
    assert [text.strip() for text in read] == ["Процедура Н()\nБ ="]


def test_a_name_taken_in_another_method_piece_is_noticed() -> None:
    language = Bsl()
    prefix, suffix = METHOD.format(1, 1), METHOD.format(2, 2)
    assert not language.check_insert(prefix, METHOD.format(2, 3), suffix)
    assert language.check_insert(prefix, METHOD.format(3, 3), suffix)


def test_memory_is_bounded_and_the_oldest_is_forgotten() -> None:
    remembered: Remembered[int] = Remembered(max_chars=10)
    for value, text in enumerate(("аааа", "бббб", "аааа", "вввв")):
        if remembered.get(text) is None:
            remembered.keep(value, text)
    assert [remembered.get(text) for text in ("аааа", "бббб", "вввв")] == [0, None, 3]
    remembered.keep(9, "г" * 11)
    assert remembered.get("г" * 11) is None


def test_a_language_travels_between_processes() -> None:
    language = Bsl()
    language.check_prefix(METHOD.format(1, 1))
    assert pickle.loads(pickle.dumps(language)).check(METHOD.format(1, 1)) is None
