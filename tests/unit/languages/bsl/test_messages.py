import pytest

from nested_ray.languages import get_language


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("А = 1\nБ = 2;", "unexpected `Б`, expected `;`"),
        ("Если А Тогда", "unexpected the end of the text"),
        ("Для А = 1 По 2 Цикл КонецЕсли", "unexpected `КонецЕсли`"),
        ("Процедура (", "unexpected `(`, expected a name"),
        ("#Область", "not a complete preprocessor line: `#Область`"),
        ("#Область А", "expected `#КонецОбласти`/`#EndRegion`: the end of the text"),
        ("Перем А", "unexpected the end of the text, expected `;` or `,` or `Экспорт`/`Export`"),
    ],
)
def test_message_says_what_was_found_and_expected(text: str, message: str) -> None:
    issue = get_language("bsl").check(text)
    assert issue and issue.message == message
