"""Promises every language keeps for every text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.languages import LANGUAGES, Language, Span, Validity
from nested_ray.languages.base import TokenKind
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


@every_language
@given(text=broken_code)
@settings(max_examples=100, deadline=None)
def test_tokens_and_white_space_are_the_text(language: Language, text: str) -> None:
    position = 0
    for token in language.tokens(text):
        assert is_white(text[position : token.span.start])
        assert token.span.end > token.span.start or token.kind is TokenKind.LAYOUT
        assert (
            not is_white(text[token.span.start : token.span.end])
            or token.kind is not TokenKind.NAME
        )
        position = token.span.end
    assert is_white(text[position:])


def is_white(text: str) -> bool:
    return not text.strip("\ufeff\u200b") or text.strip("\ufeff\u200b").isspace()


@every_language
@given(text=broken_code)
@settings(max_examples=100, deadline=None)
def test_names_are_spelled_where_they_stand_and_lead_to_their_like(
    language: Language, text: str
) -> None:
    table = language.symbols(text)
    for symbol in table.symbols:
        assert text[symbol.span.start : symbol.span.end] == symbol.name
        assert 0 <= symbol.scope < len(table.scopes)
    for use in table.uses:
        assert text[use.span.start : use.span.end] == use.name
        if use.symbol is not None:
            assert language.fold(table.symbols[use.symbol].name) == language.fold(use.name)
    assert list(table.uses) == sorted(table.uses, key=lambda use: use.span.start)


@every_language
@given(text=broken_code)
@settings(max_examples=100, deadline=None)
def test_scopes_nest_in_the_order_of_the_text(language: Language, text: str) -> None:
    module, *others = language.symbols(text).scopes
    assert (module.kind, module.span, module.parent) == ("module", Span(0, len(text)), None)
    around = [module.span]
    for scope in others:
        assert 0 <= scope.span.start <= scope.span.end <= len(text)
        while scope.span.start >= around[-1].end and len(around) > 1:
            around.pop()
        assert around[-1].start <= scope.span.start and scope.span.end <= around[-1].end
        around.append(scope.span)


@every_language
@given(text=broken_code, cuts=st.tuples(st.integers(0, 60), st.integers(0, 20)))
@settings(max_examples=100, deadline=None)
def test_an_insertion_is_judged_like_the_whole(
    language: Language, text: str, cuts: tuple[int, int]
) -> None:
    start, end = cuts[0], cuts[0] + cuts[1]
    found = language.check_insert(text[:start], text[start:end], text[end:])
    assert found == (language.check(text) is None)


@every_language
@given(name=st.text("abzXYZ_19абвёжЙЯЁ", max_size=10))
def test_a_name_is_folded_once_and_for_all(language: Language, name: str) -> None:
    folded = language.fold(name)
    assert language.fold(folded) == folded
    assert language.is_case_sensitive or language.fold(name.upper()) == language.fold(name.lower())


@every_language
def test_built_in_names_are_folded(language: Language) -> None:
    assert {language.fold(name) for name in language.builtins} == set(language.builtins)


@given(text=broken_code)
def test_bsl_tokens_and_trivia_are_the_text(text: str) -> None:
    assert "".join(tokenize(text).pieces()) == text


@every_language
@pytest.mark.parametrize(
    "text",
    [
        *("(" * 20_000, "[{" * 10_000, "\0" * 5_000, '"' * 9_999, "-" * 20_000 + "1"),
        *("\\\n" * 3_000, "f'{" * 5_000, "\ud800", "\ufeffх", "А.А" * 10_000),
        *("if x:\n" * 5_000, "lambda: " * 9_000, "x[" * 9_000, "f(" * 9_000, "class A:\n " * 3_000),
        *("Если А Тогда " * 10_000, "#Если А Тогда\n" * 5_000, ") Процедура А " * 3_000),
        "#Если " + "(" * 9_000 + " Тогда",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_text_gets_an_answer(language: Language, text: str) -> None:
    language.check(text)
    language.check_prefix(text)
    language.outline(text)
    language.tokens(text)
    language.symbols(text)
    language.check_insert(text[:9], text[9:20], text[20:])
