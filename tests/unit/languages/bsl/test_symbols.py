import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.languages import get_language

BSL = get_language("bsl")

MODULE = """
Перем Кэш Экспорт;

Асинх Функция Сумма(Знач А, Б = 1) Экспорт
    Ждать Пауза(А);
    Итог = А + Б; итог = ИТОГ;
    Кэш[0] = Итог; Кэш = 2;
    Для Каждого Строка Из Запрос.Выполнить() Цикл Сообщить(Строка); КонецЦикла;
    ~Конец: Перейти ~конец;
    Возврат Новый Структура("А", Сумма);
КонецФункции

Вид = 1;
Сумма(Вид);
"""


def bound(text: str) -> list[tuple[str, str, int]]:
    return [(symbol.name, symbol.kind, symbol.scope) for symbol in BSL.symbols(text).symbols]


def used(text: str) -> list[tuple[str, str | None, bool]]:
    """Each use with the name of what it means."""
    table = BSL.symbols(text)
    return [
        (use.name, None if use.symbol is None else table.symbols[use.symbol].name, use.is_write)
        for use in table.uses
    ]


def test_scopes_bind_their_parameters_variables_and_labels() -> None:
    assert bound(MODULE) == [
        ("Кэш", "variable", 0),
        ("Сумма", "function", 0),
        ("А", "parameter", 1),
        ("Б", "parameter", 1),
        ("Итог", "variable", 1),
        ("Строка", "variable", 1),
        ("Конец", "label", 1),
        ("Вид", "variable", 0),
    ]


def test_uses_know_what_they_mean() -> None:
    assert used(MODULE) == [
        ("Пауза", None, False),
        ("А", "А", False),
        ("Итог", "Итог", True),
        ("А", "А", False),
        ("Б", "Б", False),
        ("итог", "Итог", True),
        ("ИТОГ", "Итог", False),
        ("Кэш", "Кэш", False),
        ("Итог", "Итог", False),
        ("Кэш", "Кэш", True),
        ("Строка", "Строка", True),
        ("Запрос", None, False),
        ("Сообщить", None, False),
        ("Строка", "Строка", False),
        ("конец", "Конец", False),
        ("Сумма", "Сумма", False),
        ("Вид", "Вид", True),
        ("Сумма", "Сумма", False),
        ("Вид", "Вид", False),
    ]


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("А = (Б = 1);", [("А", "А", True), ("Б", None, False)]),
        ("Если А = 1 Тогда А = 2; КонецЕсли", [("А", None, False), ("А", "А", True)]),
        ("П(А = 1, Б = 2)", [("П", None, False), ("А", None, False), ("Б", None, False)]),
        ("А.Б = В.А", [("А", None, False), ("В", None, False)]),
        ("&Пример(А = 1) Процедура Б() КонецПроцедуры", []),
        ("Для А = 1 По Б Цикл КонецЦикла", [("А", "А", True), ("Б", None, False)]),
        ("А = 1\nА = 2", [("А", "А", True), ("А", "А", True)]),  # a `;` is missing
        ("А = 1\n#Если Сервер Тогда\n + А;\n#КонецЕсли", [("А", "А", True), ("А", "А", False)]),
        ("ДобавитьОбработчик А.Б, В; Процедура В() КонецПроцедуры",
         [("А", None, False), ("В", "В", False)]),
    ],
)  # fmt: skip
def test_name_is_written_only_where_a_statement_assigns_it(text: str, uses: list) -> None:
    assert used(text) == uses


def test_variables_of_the_modules_statements_are_unknown_in_methods() -> None:
    text = "Процедура А() Б = В; КонецПроцедуры\nВ = 1; Б = В;"
    assert used(text) == [
        ("Б", "Б", True),
        ("В", None, False),
        ("В", "В", True),
        ("Б", "Б", True),
        ("В", "В", False),
    ]
    assert bound(text)[1:] == [("Б", "variable", 1), ("В", "variable", 0), ("Б", "variable", 0)]


def test_a_method_and_a_variable_may_share_a_name() -> None:
    text = "Функция Имя() Имя = Имя(); Возврат Имя; КонецФункции"
    table = BSL.symbols(text)
    kinds = [table.symbols[use.symbol].kind for use in table.uses if use.symbol is not None]
    assert kinds == ["variable", "function", "variable"]


def test_parameters_are_found_in_a_broken_heading() -> None:
    text = "Процедура Первая(А, Знач Б\n В = А;\nПроцедура Вторая(Г) В = Г; КонецПроцедуры"
    assert ("Б", "parameter", 1) in bound(text)
    assert ("Г", "parameter", 2) in bound(text)


def test_scope_ends_with_its_method() -> None:
    table = BSL.symbols(MODULE)
    begin, end = table.scopes[1].span.start, table.scopes[1].span.end
    assert MODULE[begin : begin + 5] == "Асинх" and MODULE[:end].endswith("КонецФункции")
    assert [symbol.name for symbol in table.visible(end - 1)][:2] == ["А", "Б"]
    assert [symbol.name for symbol in table.visible(end)] == ["Кэш", "Сумма", "Вид"]


words = "А Б ( ) , = ; . ~ : & Перем Процедура Функция КонецПроцедуры Знач Для Каждого Новый // \n"


@given(st.lists(st.sampled_from([*words.split(" "), "\n"]), max_size=30).map(" ".join))
def test_every_use_and_symbol_is_the_text_at_its_place(text: str) -> None:
    table = BSL.symbols(text)
    for found in (*table.symbols, *table.uses):
        assert text[found.span.start : found.span.end] == found.name
        assert 0 <= found.scope < len(table.scopes)
    for use in table.uses:
        symbol = table.symbols[use.symbol] if use.symbol is not None else None
        assert symbol is None or symbol.name.lower() == use.name.lower()
        assert symbol is None or symbol.scope in (0, use.scope)
