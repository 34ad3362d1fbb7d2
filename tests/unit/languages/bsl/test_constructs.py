"""Each construct of the language beside the nearest text that is none."""

import pytest

from nested_ray.languages import Validity, get_language

BSL = get_language("bsl")


def method(body: str) -> str:
    return f"Процедура П(А)\n{body}\nКонецПроцедуры\n"


CONSTRUCTS = {
    "preprocessor condition": (
        "#Если Сервер И Не (Клиент Или ВебКлиент) Тогда\nА = 1;\n#ИначеЕсли Клиент Тогда\n#Иначе\n#КонецЕсли",
        "#Если Сервер И Тогда\nА = 1;\n#КонецЕсли",
    ),
    "english preprocessor": ("#If Server Then\n#EndIf\n", "#If Server Then\n#EndRegion\n"),
    "region": ("#Область А\n#Region B\n#EndRegion\n#КонецОбласти", "#Область 1\n#КонецОбласти"),
    "directive of a method": (
        "&НаСервереБезКонтекста\nПроцедура П()\nКонецПроцедуры",
        "&\nПроцедура П()\nКонецПроцедуры",
    ),
    "extension": (
        '&ИзменениеИКонтроль("П")\nПроцедура Р()\n#Вставка\n\tА = 1;\n#КонецВставки\n#Удаление\n\tЕсли\n#КонецУдаления\nКонецПроцедуры',
        '&ИзменениеИКонтроль("П"\nПроцедура Р()\nКонецПроцедуры',
    ),
    "string of several lines": (
        'А = "один\n\t|два ""в кавычках""\n// примечание\n\n|три";',
        'А = "один\nдва";',
    ),
    "joined strings": ('А = "один" "два"\n"три";', 'А = "один" 2;'),
    "date": ("А = '2024-01-31 23:59:59'; Б = '00010101';", "А = '2024-01';"),
    "asynchronous method": (
        "Асинх Функция Ф()\nА = Ждать Б(); Ждать В();\nВозврат Ждать Г();\nКонецФункции",
        "Функция Ф()\nА = Ждать Б();\nВозврат 1;\nКонецФункции",
    ),
    "parameter by value": (
        'Функция Ф(Знач А, Б = Неопределено, Знач В = -1, Г = "", Д = \'00010101\') Экспорт\nКонецФункции',
        "Функция Ф(А Знач)\nКонецФункции",
    ),
    "export": ("Перем А Экспорт, Б;\nПроцедура П() Экспорт\nКонецПроцедуры", "Перем Экспорт А;"),
    "label and jump": (method("~М:\nЕсли А Тогда\nПерейти ~М;\nКонецЕсли;"), method("Перейти М;")),
    "raise a text": (method('ВызватьИсключение "текст";'), method("ВызватьИсключение;")),
    "raise with a category": (
        method('ВызватьИсключение("текст", КатегорияОшибки.НарушениеПравДоступа, , А);'),
        method('ВызватьИсключение "текст", А;'),
    ),
    "raise an expression in brackets": (
        method('ВызватьИсключение (А + 1) + "текст";'),
        method("ВызватьИсключение (А + ;"),
    ),
    "raise again": (
        method("Попытка\nА();\nИсключение\nВызватьИсключение;\nКонецПопытки;"),
        method("Попытка\nВызватьИсключение;\nИсключение\nКонецПопытки;"),
    ),
    "execute text": (method('Выполнить("А = 1"); Выполнить А;'), method("Выполнить;")),
    "event handlers": (
        method("ДобавитьОбработчик А.Событие, Б.Метод;\nУдалитьОбработчик А.Событие, Метод;"),
        method("ДобавитьОбработчик А.Событие;"),
    ),
    "ternary": ("А = ?(Б = 1, ?(В, 1, 2), -3).Г;", "А = ?(Б, 1);"),
    "loops": (
        method("Для Б = 1 По 2 Цикл\nПрервать;\nКонецЦикла;\nДля Каждого Б Из А Цикл\nПродолжить;\nКонецЦикла;\nПока А Цикл\nКонецЦикла;"),
        method("Для Б По 2 Цикл\nКонецЦикла;"),
    ),
    "creation": ('А = Новый Структура("Б", 1).Б; В = Новый("Массив", Г); Г = Новый Массив;', "А = Новый;"),
    "call on a result": ("А(1).Б(,)[В].Г();", "А(1).Б = 1 = ;"),
    "keyword as a member": ("А.Если.Для = Б.Возврат();", "А.1 = 2;"),
    "precedence of not": ("А = Не (Б И В) Или Не Г = -Д;", "А = Не;"),
    "used library": ("#Использовать logos\n#Использовать \"./src\"\nА = 1;", "#Использовать\nА = 1;"),
    "annotations": (
        '&Желудь("имя", Порядок = 1)\n&Пластилин(Тип = &Вложенная)\nПроцедура П(&Параметр Знач А, &Б(В) Г)\nКонецПроцедуры',
        "&Желудь(\nПроцедура П()\nКонецПроцедуры",
    ),
    "annotated variable": ("&Пластилин\nПерем А;\nА = 1;", "&Пластилин\nА = 1;"),
    "shebang": ("#!/usr/bin/oscript\nСообщить(1);", "#/usr/bin/oscript\nСообщить(1);"),
    "byte order mark": ("\ufeffА = 1;", "\ufeff\ufffdА = 1;"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_construct_is_valid_and_its_neighbour_is_not(name: str) -> None:
    valid, invalid = CONSTRUCTS[name]
    assert BSL.check(valid) is None
    assert BSL.check_prefix(valid) is Validity.VALID
    assert BSL.check_insert("", valid, "") and not BSL.check_insert("", invalid, "")
    assert BSL.check(invalid) is not None


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_every_beginning_of_a_construct_can_go_on(name: str) -> None:
    valid, _ = CONSTRUCTS[name]
    beginnings = (valid[:end] for end in range(len(valid)))
    assert [one for one in beginnings if BSL.check_prefix(one) is Validity.INVALID] == []
