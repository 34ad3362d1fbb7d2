"""An error is shown where it was made, as far as brackets and indentation tell."""

import pytest

from nested_ray.languages import get_language

BSL = get_language("bsl")
METHOD = """#Область Начало
Процедура П(А)
	Если А Тогда
		Для Каждого Б Из А Цикл
			Б();
		КонецЦикла;
	КонецЕсли;
	Попытка
		А();
	Исключение
		Б = (А + 1);
	КонецПопытки;
	В();
КонецПроцедуры
#КонецОбласти

#Область Служебные

Процедура Р()
	Г();
КонецПроцедуры

#КонецОбласти
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("\t\tКонецЦикла;\n", "", 6, "expected `КонецЦикла`/`EndDo` for the `Для` of line 4"),
        ("\tКонецЕсли;\n", "", 7, "expected `КонецЕсли`/`EndIf` for the `Если` of line 3"),
        ("КонецЕсли;", ";", 7, "expected `КонецЕсли`/`EndIf` for the `Если` of line 3"),
        ("\tПопытка\n", "", 8, "expected `Попытка`/`Try`"),
        ("\tКонецПопытки;\n", "", 12, "expected `КонецПопытки`/`EndTry` for the `Попытка`"),
        ("КонецПроцедуры\n#КонецОбласти", "#КонецОбласти", 14, "expected `КонецПроцедуры`"),
        ("\tБ();", "\tКонецЕсли; Б();", 5, "unexpected `КонецЕсли`"),
        ("\tА();", "\tКонецПопытки; А();", 9, "unexpected `КонецПопытки`"),
        ("\t\tДля", "\t\tКонецЕсли; Для", 4, "ends the `Если` of line 3 early"),
        ("\tЕсли А", "\tА = 1", 3, "expected `Если`/`If`"),
        ("(А + 1)", "((А + 1)", 11, "not closed"),
        ("(А + 1)", "(А, 1)", 11, "these brackets hold more than an expression"),
        ("Процедура Р", "Р", 19, "expected `Процедура`/`Procedure` or `Функция`/`Function`"),
        ("#Область Служебные", "", 19, "expected `#Область`/`#Region` for"),
        ("#Область Служебные", "#Область А\n#Область А", 18, "expected `#КонецОбласти`"),
    ],
)  # fmt: skip
def test_place_is_where_the_text_was_changed(old: str, new: str, line: int, message: str) -> None:
    assert BSL.check(METHOD) is None
    text = METHOD.replace(old, new, 1)
    issue = BSL.check(text)
    assert issue and text.count("\n", 0, issue.span.start) + 1 == line
    assert issue.message.startswith(message)


def test_closer_that_is_missing_is_what_was_expected() -> None:
    issue = BSL.check(METHOD.replace("\tКонецЕсли;\n", "", 1))
    assert issue and issue.expected == ("КонецЕсли",)


@pytest.mark.parametrize(
    "text",
    ["Если А Тогда\n" * 3_000, "А(" * 3_000, "\t" * 50_000 + "КонецЕсли", "#Если А Тогда\n" * 900],
)
def test_hostile_text_has_a_place(text: str) -> None:
    issue = BSL.check(text)
    assert issue and 0 <= issue.span.start <= len(text)
