"""What the compiler refuses beyond the grammar."""

import pytest

from nested_ray.languages import Validity, get_language

BSL = get_language("bsl")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Процедура А() КонецПроцедуры Функция а() КонецФункции", "а"),
        ("Процедура П(А, Знач Б, а) КонецПроцедуры", "а"),
        ("Перем А; Перем Б, А;", "А"),
        ("Процедура П(А) Перем Б, А; КонецПроцедуры", "А"),
        ("Процедура П() ~М: А = 1; ~м: А = 2; КонецПроцедуры", "м"),
        ("Процедура П() Перейти ~Н; ~М: КонецПроцедуры\n", "Н"),
        ("#Если Сервер Тогда\nПерем А;\nПерем А;\n#КонецЕсли", "А"),
        ("Перем А;\n#Если Сервер Тогда\nПерем А;\n#КонецЕсли", "А"),
        ("&НаСервере Перем А; &НаСервере Перем А;", "А"),
    ],
)
def test_name_bound_twice_or_label_not_set_is_an_error(text: str, found: str) -> None:
    issue = BSL.check(text)
    assert issue and text[issue.span.start : issue.span.end] == found
    assert BSL.check_prefix(text) is Validity.INVALID


@pytest.mark.parametrize(
    "text",
    [
        "#Если Сервер Тогда\nПерем А;\n#Иначе\nПерем А;\n#КонецЕсли",
        "&НаСервере Перем А; &НаКлиенте Перем А;",
        "Перем А; Процедура А(А) КонецПроцедуры Процедура Б() Перем А; КонецПроцедуры",
        "Процедура П() ~М: Перейти ~М; КонецПроцедуры Процедура Р() ~М: КонецПроцедуры",
        "Процедура П() Перейти ~М; ~м: КонецПроцедуры",
        "&Пример(А) Процедура П(&Пример(А = 1) А) КонецПроцедуры",
        "А.Процедура(); А.Перем = 1; А.Функция = 1",
    ],
)
def test_names_apart_from_each_other_do_not_clash(text: str) -> None:
    assert BSL.check(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Процедура А() КонецПроцедуры Процедура А",  # may become a longer name
        "Перем А, А",
        "Процедура П() Перейти ~М; КонецПроцедуры",  # `КонецПроцедуры` may go on as a name
        "Перейти ~М;",  # the label may follow
    ],
)
def test_more_text_may_mend_a_clash(text: str) -> None:
    assert BSL.check(text) is not None
    assert BSL.check_prefix(text) is Validity.INCOMPLETE


def test_preprocessor_line_after_a_dot_is_counted() -> None:
    text = "А.\n#Если Сервер Тогда\nБ();\n#Иначе\nВ();\n#КонецЕсли\n"
    assert BSL.check(text) is None
