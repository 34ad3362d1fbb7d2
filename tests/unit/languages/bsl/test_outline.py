from nested_ray.languages import Definition, Reference, get_language

BSL = get_language("bsl")
MODULE = """#Использовать "lib/core"
Перем А Экспорт, Б;

#Область Общая
// Считает.
//  подробно
&НаСервере
&Вместо("Имя")
Асинх Функция Счёт(Знач Х, // пояснение
	У = "a (") Экспорт
	Перем Л;
	Л = ОбщийМодуль.Метод(Х).Поле;
	Возврат Новый Структура("а", Ф(Л));
КонецФункции
#КонецОбласти

Procedure Second()
EndProcedure
"""


def by_name(text: str) -> dict[str, Definition]:
    return {definition.name: definition for definition in BSL.outline(text).definitions}


def test_used_library_is_an_import() -> None:
    (found,) = BSL.outline(MODULE).imports
    assert (found.module, found.names) == ("lib/core", ())
    assert MODULE[found.span.start : found.span.end] == '#Использовать "lib/core"'


def test_method_has_signature_region_export_and_comment() -> None:
    method = by_name(MODULE)["Счёт"]
    assert method.kind == "function"
    assert method.signature == 'Асинх Функция Счёт(Знач Х, У = "a (") Экспорт'
    assert (method.parent, method.exported, method.doc) == ("Общая", True, "Считает.")
    text = MODULE[method.span.start : method.span.end]
    assert text.startswith("&НаСервере") and text.endswith("КонецФункции")


def test_module_variables_are_definitions_and_local_ones_are_not() -> None:
    found = by_name(MODULE)
    assert [name for name in found if found[name].kind == "variable"] == ["А", "Б"]
    assert found["А"].exported and not found["Б"].exported
    assert found["А"].signature == "Перем А Экспорт"


def test_second_method_is_a_procedure_outside_the_region() -> None:
    method = by_name(MODULE)["Second"]
    assert (method.kind, method.parent, method.exported) == ("procedure", None, False)


def test_references_have_qualifiers_and_calls() -> None:
    found = BSL.outline(MODULE).references
    brief = [(one.name, one.qualifier, one.is_call) for one in found]
    assert brief == [
        ("Л", None, False),
        ("ОбщийМодуль", None, False),
        ("Метод", "ОбщийМодуль", True),
        ("Х", None, False),
        ("Поле", None, False),
        ("Структура", None, True),
        ("Ф", None, True),
        ("Л", None, False),
    ]
    assert all(MODULE.startswith(one.name, one.offset) for one in found)


def test_keyword_after_a_dot_is_a_name() -> None:
    text = "А = Запрос.Выполнить().Процедура;"
    assert Reference("Выполнить", "Запрос", 11, True) in BSL.outline(text).references
    assert BSL.outline(text).definitions == ()


def test_broken_text_still_has_its_methods() -> None:
    found = by_name("Процедура А(\n\tЕсли Б Тогда (((\nПроцедура В() Экспорт\n\tГ(\n")
    assert list(found) == ["А", "В"]
    assert found["В"].exported
