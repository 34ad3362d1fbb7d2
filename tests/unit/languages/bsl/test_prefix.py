import pytest

from nested_ray.languages import Validity, get_language


@pytest.mark.parametrize(
    ("text", "validity"),
    [
        ("", Validity.VALID),
        ("А = 1", Validity.VALID),
        ("Если", Validity.INCOMPLETE),
        ("Есл", Validity.INCOMPLETE),
        ("Если А Тогд", Validity.INCOMPLETE),
        ("Если А Тогу", Validity.INVALID),
        ("Если А Тогд ", Validity.INVALID),
        ('А = "текст', Validity.INCOMPLETE),
        ('А = "текст\n\t|', Validity.INCOMPLETE),
        ('А = "текст\n', Validity.INCOMPLETE),
        ('А = "текст\n // и', Validity.INCOMPLETE),
        ('А = "текст\n Б', Validity.INVALID),
        ("А = '2020", Validity.INCOMPLETE),
        ("А = 1 /", Validity.INCOMPLETE),
        ("А = 1; /", Validity.INCOMPLETE),  # a comment may follow
        ("А = 1; *", Validity.INVALID),
        ("#Есл", Validity.INCOMPLETE),
        ("#Если Сервер Тогда\nА = 1;", Validity.INCOMPLETE),
        ("#Если Сервер\n", Validity.INVALID),
        ("Процедура П()\nКонецПроцедуры\nАсинх Фун", Validity.INCOMPLETE),
        ("Процедура П()\nКонецПроцедуры\nАсинх П(", Validity.INVALID),
        ("Функция Ф()\nКонецПроцедуры", Validity.INCOMPLETE),  # may become a longer name
        ("Функция Ф()\nКонецПроцедуры ", Validity.INVALID),
        ("Функция Ф()\nКонецФ", Validity.INCOMPLETE),
        ("А)", Validity.INVALID),
    ],
)
def test_beginning_is_classified(text: str, validity: Validity) -> None:
    assert get_language("bsl").check_prefix(text) is validity
