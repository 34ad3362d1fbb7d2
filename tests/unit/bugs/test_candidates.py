"""Which slots a file has, and what could stand in them."""

from __future__ import annotations

from textwrap import dedent

from nested_ray.bugs.candidates import MAX_OPTIONS, find_slots
from nested_ray.bugs.reading import name_parts, read_code
from nested_ray.bugs.slots import Slot
from nested_ray.languages import get_language


def slots_of(text: str, language: str = "python") -> tuple[str, list[Slot]]:
    text = dedent(text).lstrip("\n")
    return text, find_slots(read_code(text, get_language(language)))


def options(slots: list[Slot], kind: str) -> list[tuple[str, ...]]:
    return [slot.options for slot in slots if slot.kind == kind]


def test_a_read_of_a_variable_can_be_any_other_one_bound_before_it() -> None:
    _, slots = slots_of("""
        LIMIT = 5

        def area(width, height):
            total = width * height
            later = total
            return later
        """)
    found = {(found[0], frozenset(found[1:])) for found in options(slots, "name")}
    assert ("width", frozenset({"height"})) in found
    assert ("total", frozenset({"width", "height"})) in found
    assert ("later", frozenset({"width", "height", "total"})) in found
    assert not any("LIMIT" in each for each in options(slots, "name"))


def test_self_is_neither_a_slot_nor_an_option() -> None:
    _, slots = slots_of("""
        class Box:
            def fill(self, item, count):
                self.item = item
                return self, count
        """)
    assert sorted(options(slots, "name")) == [("count", "item"), ("item", "count")]


def test_operators_have_siblings_and_signs_and_joined_text_have_none() -> None:
    _, slots = slots_of("""
        def f(a, b):
            x = -a + b
            y = "n" + a
            return a == b and a < b or x >= y
        """)
    assert options(slots, "operator") == [
        ("+", "-"),
        ("==", "!="),
        ("and", "or"),
        ("<", "<="),
        ("or", "and"),
        (">=", ">"),
    ]


def test_literals_have_neighbours_inside_functions_only() -> None:
    _, slots = slots_of("""
        SIZE = 3

        def f():
            return 0, 7, 100000, 1.5, True, None
        """)
    assert options(slots, "literal") == [("0", "1"), ("7", "6", "8"), ("True", "False")]


def test_neighbouring_simple_arguments_can_be_swapped() -> None:
    text, slots = slots_of("""
        def f(a, b, c):
            g(a.x,  b, c + 1, key=a)
            max(a, b)
            g(a, a)
        """)
    (slot,) = [slot for slot in slots if slot.kind == "arguments"]
    assert slot.options == ("a.x,  b", "b,  a.x")
    assert slot.replaced(text, 1).count("g(b,  a.x, c + 1, key=a)") == 1


def test_bsl_equality_is_a_slot_where_it_compares_only() -> None:
    _, slots = slots_of(
        """
        Процедура Проверить(Знач Сумма, Цена = 1) Экспорт
            Итог = Сумма;
            Если Итог = Цена И Сумма <> 0 Тогда
                Итог = (Сумма = Цена);
            КонецЕсли;
            Для Номер = 1 По Сумма Цикл
                Сообщить(Номер);
            КонецЦикла;
        КонецПроцедуры
        """,
        "bsl",
    )
    assert options(slots, "operator") == [("=", "<>"), ("И", "Или"), ("<>", "="), ("=", "<>")]
    assert options(slots, "name")[0] == ("Сумма", "Цена")


def test_names_are_cut_into_words() -> None:
    assert name_parts("maxValue2") == ("max", "value", "2")
    assert name_parts("HTTPServer_name") == ("http", "server", "name")
    assert name_parts("СуммаНДС") == ("сумма", "ндс")
    assert name_parts("_") == ("_",)


def test_options_stay_few_however_many_variables_there_are() -> None:

    def most_options(count: int) -> int:
        text = "def f(a, b):\n" + "".join(f"    v{i} = a + b\n" for i in range(count))
        slots = find_slots(read_code(text, get_language("python")))
        return max(len(slot.options) for slot in slots)

    assert most_options(30) == most_options(300) == MAX_OPTIONS
