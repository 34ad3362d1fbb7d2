"""Promises every language keeps for every text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.languages import LANGUAGES, Language, Validity
from nested_ray.languages.bsl.lexer import tokenize

BSL_WORDS = (
    'Если Тогда КонецЕсли Иначе Для Каждого Из Цикл КонецЦикла А .Б ( ) [ ] = ; , "с" " | 1 + Не '
    "Процедура КонецПроцедуры П() Возврат Ждать Асинх &А ~М: ' ? // \n\t#Если \n#Иначе\n "
    "\n#КонецЕсли\n \n#Область \n"
).split(" ")
PYTHON_WORDS = (
    "if else : x .y ( ) [ ] = , 'a' f'{ ' } \"\"\" 1 0x + not def return class @ \\\n \n \n  \n    "
    "# try except * await lambda import from match case"
).split(" ")
broken_code = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(BSL_WORDS), max_size=25).map(" ".join),
    st.lists(st.sampled_from(PYTHON_WORDS), max_size=25).map(" ".join),
)
every_language = pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.name)


@every_language
@given(text=broken_code)
@settings(max_examples=150, deadline=None)
def test_answers_lie_inside_the_text(language: Language, text: str) -> None:
    issue = language.check(text)
    assert issue is None or (0 <= issue.span.start <= issue.span.end <= len(text) and issue.message)
    outline = language.outline(text)
    for found in (*outline.imports, *outline.definitions):
        assert 0 <= found.span.start <= found.span.end <= len(text)
    for reference in outline.references:
        end = reference.offset + len(reference.name)
        assert text[reference.offset : end] == reference.name


@every_language
@given(text=broken_code)
@settings(max_examples=150, deadline=None)
def test_valid_is_said_exactly_when_there_is_no_error(language: Language, text: str) -> None:
    is_valid = language.check_prefix(text) is Validity.VALID
    assert is_valid == (language.check(text) is None)


@every_language
@given(text=broken_code)
@settings(max_examples=80, deadline=None)
def test_what_is_invalid_stays_invalid_with_more_text(language: Language, text: str) -> None:
    verdicts = [language.check_prefix(text[:end]) for end in range(len(text) + 1)]
    if Validity.INVALID in verdicts:
        first = verdicts.index(Validity.INVALID)
        assert set(verdicts[first:]) == {Validity.INVALID}, text[: first + 1]


@given(text=broken_code)
def test_bsl_tokens_and_trivia_are_the_text(text: str) -> None:
    assert "".join(tokenize(text).pieces()) == text


@every_language
@pytest.mark.parametrize(
    "text",
    [
        *("(" * 20_000, "[{" * 10_000, "\0" * 5_000, '"' * 9_999, "-" * 20_000 + "1"),
        *("\\\n" * 3_000, "f'{" * 5_000, "\ud800", "\ufeffх", "А.А" * 10_000),
        *("Если А Тогда " * 10_000, "#Если А Тогда\n" * 5_000, ") Процедура А " * 3_000),
        "#Если " + "(" * 9_000 + " Тогда",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_text_gets_an_answer(language: Language, text: str) -> None:
    language.check(text)
    language.check_prefix(text)
    language.outline(text)
