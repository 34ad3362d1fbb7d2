import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.languages.bsl import Bsl
from nested_ray.languages.bsl.queries import Query

BSL = Bsl()
MODULE = """
Запрос.Текст =
"ВЫБРАТЬ РАЗРЕШЕННЫЕ
	|	Остатки.Товар КАК Товар,
	|	ВЫРАЗИТЬ(Остатки.Сумма КАК Число) КАК Сумма,
	|	""Итог"" КАК Вид
	// строка модуля, не запроса
	|ПОМЕСТИТЬ ВТ_Остатки
	|ИЗ
	|	РегистрНакопления.Товары.Остатки(&НаДату, Склад В (&Склады)) КАК Остатки
	|		ЛЕВОЕ СОЕДИНЕНИЕ Документ.Заказ.Товары КАК Заказано
	|		ПО Остатки.Товар = Заказано.Товар, ВТ_Прежние
	|ГДЕ
	|	Остатки.Сумма > 0 // больше нуля
	|;
	|ВЫБРАТЬ * ИЗ (ВЫБРАТЬ Т.Ссылка ИЗ Справочник.Товары КАК Т) КАК Вложенный
	|;
	|УНИЧТОЖИТЬ ВТ_Остатки";
"""


def only(text: str) -> Query:
    (query,) = BSL.queries(text)
    return query


def test_query_says_what_it_names() -> None:
    query = only(MODULE)
    assert [(one.name, one.alias, one.is_database) for one in query.tables] == [
        ("РегистрНакопления.Товары.Остатки", "Остатки", True),
        ("Документ.Заказ.Товары", "Заказано", True),
        ("ВТ_Прежние", None, False),
        ("Справочник.Товары", "Т", True),
    ]
    assert [one.name for one in query.created] == ["ВТ_Остатки"]
    assert [one.name for one in query.dropped] == ["ВТ_Остатки"]
    assert [one.name for one in query.parameters] == ["НаДату", "Склады"]
    aliases = ["Товар", "Сумма", "Вид", "Остатки", "Заказано", "Т", "Вложенный"]
    assert [one.name for one in query.aliases] == aliases
    assert query.issue is None and not query.is_part


def test_text_is_what_the_database_gets_and_places_lead_back() -> None:
    query = only(MODULE)
    assert '\t"Итог" КАК Вид\nПОМЕСТИТЬ' in query.text and "не запроса" not in query.text
    assert MODULE[query.span.start : query.span.end].startswith('"ВЫБРАТЬ')
    for named in (*query.tables, *query.created, *query.dropped, *query.aliases):
        assert MODULE[named.span.start : named.span.end] == named.name
    for parameter in query.parameters:
        assert MODULE[parameter.span.start : parameter.span.end] == f"&{parameter.name}"
    for token in query.tokens:
        span = query.in_module(token.span)
        written = MODULE[span.start : span.end].replace('""', '"')
        assert written == query.text[token.span.start : token.span.end]


def test_english_query_is_read_the_same_way() -> None:
    query = only(
        'Q = "SELECT T.Ref AS Ref INTO TT FROM Catalog.Goods AS T INNER JOIN TT2 ON TRUE";'
    )
    assert [(one.name, one.alias) for one in query.tables] == [
        ("Catalog.Goods", "T"),
        ("TT2", None),
    ]
    assert [one.name for one in query.created] == ["TT"]


@pytest.mark.parametrize(
    "text",
    [
        'А = "Выбрать";',
        'А = "Выбрать файл из списка";',
        'А = "Select one from the list";',
        'А = "ВЫБРАТЬ";',
        'А = "ВЫБРАТЬСЯ ИЗ";',
        "А = НСтр(\"ru = 'ВЫБРАТЬ ИЗ'\");",
        "// ВЫБРАТЬ А ИЗ Б",
    ],
)
def test_other_text_is_no_query(text: str) -> None:
    assert BSL.queries(text) == ()


def test_lower_case_query_is_known_by_its_table() -> None:
    assert only('А = "выбрать Ссылка из Справочник.Товары";').tables[0].is_database


@pytest.mark.parametrize(
    ("query", "found", "message"),
    [
        ("ВЫБРАТЬ А ГДЕ Б ИЗ Г", "ИЗ", "out of order"),
        ("ВЫБРАТЬ А, ИЗ Б", ",", "unexpected before the next part of the query"),
        ("ВЫБРАТЬ ИЗ Б", "ВЫБРАТЬ", "nothing follows"),
        ("ВЫБРАТЬ А ИЗ Б ГДЕ (Г = 1", "(", "not closed"),
        ("ВЫБРАТЬ А) ИЗ Б", ")", "no bracket is open for this one"),
        ("ВЫБРАТЬ А ИЗ Б ГДЕ Г И УПОРЯДОЧИТЬ ПО А", "И", "an operand is missing after this"),
        ("ВЫБРАТЬ ВЫБОР КОГДА А ТОГДА Б ИЗ Г", "Б", "expected `КОНЕЦ`/`END` after this"),
        ("ВЫБРАТЬ А КОНЕЦ ИЗ Б", "КОНЕЦ", "no `ВЫБОР`/`CASE` is open for this word"),
        ("ВЫБРАТЬ А КАК, Б ИЗ Г", "КАК", "expected a name after this"),
        (
            "ВЫБРАТЬ А ИЗ Б ОБЪЕДИНИТЬ ВСЕ; ВЫБРАТЬ 1",
            "ВСЕ",
            "expected `ВЫБРАТЬ`/`SELECT` after this",
        ),
        ("ВЫБРАТЬ А ПОМЕСТИТЬ ИЗ Б", "ПОМЕСТИТЬ", "expected a name after this"),
        ("ВЫБРАТЬ А ИЗ Б ВЫБРАТЬ Г", "ВЫБРАТЬ", "a query has begun already"),
        ("ВЫБРАТЬ А ИЗ (Б ; Г)", ";", "unexpected inside brackets"),
        ('ВЫБРАТЬ ""А ИЗ Б', '""', "the string is not closed"),
    ],
)
def test_broken_query_is_shown_in_the_module(query: str, found: str, message: str) -> None:
    text = f'А = "{query}";'
    issue = only(text).issue
    assert issue and issue.message.startswith(message)
    shown = text[issue.span.start : issue.span.end]
    assert found.startswith(shown) and issue.span.start >= text.index(found)


@pytest.mark.parametrize(
    "query",
    [
        "ВЫБРАТЬ ПЕРВЫЕ 10 РАЗЛИЧНЫЕ А ИЗ Б СГРУППИРОВАТЬ ПО А ИМЕЮЩИЕ СУММА(Г) > 1 ДЛЯ ИЗМЕНЕНИЯ",
        "ВЫБРАТЬ А ПОМЕСТИТЬ ВТ ИЗ Б ИНДЕКСИРОВАТЬ ПО А",
        "ВЫБРАТЬ А ИЗ Б ОБЪЕДИНИТЬ ВСЕ ВЫБРАТЬ Д ИЗ Г УПОРЯДОЧИТЬ ПО А УБЫВ ИТОГИ ПО ОБЩИЕ",
        "ВЫБРАТЬ А ИЗ Б АВТОУПОРЯДОЧИВАНИЕ",
        "ВЫБРАТЬ А.Из КАК Выбор, ЕСТЬNULL(Б.Итоги, 0) ИЗ &Таблица КАК А ГДЕ &Условие",
        "ВЫБРАТЬ %1 ИЗ #Таблица КАК Т {ГДЕ Т.А.*} УПОРЯДОЧИТЬ ПО Т.Б",
        "ВЫБРАТЬ А ИЗ РегистрСведений.Цены.СрезПоследних(, Вид = &Вид) КАК Цены ГДЕ",
        "ВЫБРАТЬ КОЛИЧЕСТВО(*), ВЫБОР КОГДА А ЕСТЬ NULL ТОГДА 0 ИНАЧЕ 1 КОНЕЦ ИЗ Б",
    ],
)
def test_whole_query_has_no_issue(query: str) -> None:
    assert only(f'А = "{query}";').issue is None


def test_part_of_a_query_is_not_judged() -> None:
    assert only('А = "ВЫБРАТЬ А ИЗ (" + Б;').is_part
    assert only('А = "ВЫБРАТЬ А ИЗ (" + Б;').issue is None


WORDS = 'ВЫБРАТЬ ИЗ ПОМЕСТИТЬ КАК ( ) { } , ; . А &Б ВЫБОР КОНЕЦ ПО ГДЕ И "" \n| СОЕДИНЕНИЕ'


@given(st.lists(st.sampled_from(WORDS.split(" ")), max_size=20))
def test_any_text_in_a_string_has_an_answer(words: list[str]) -> None:
    text = f'А = "ВЫБРАТЬ {" ".join(words)}";'
    for query in BSL.queries(text):
        for span in (query.in_module(token.span) for token in query.tokens):
            assert query.span.start < span.start < span.end < query.span.end


@pytest.mark.parametrize("part", ["(", "ИЗ А(", "ВЫБОР ", "\n|", '""', "А.", "&", ","])
def test_hostile_query_ends(part: str) -> None:
    BSL.queries(f'А = "ВЫБРАТЬ {part * 5_000}";')
