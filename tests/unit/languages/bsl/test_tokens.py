import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.languages import get_language
from nested_ray.languages.base import TokenKind
from nested_ray.languages.bsl import lexer
from nested_ray.languages.bsl.keywords import Kind

BSL = get_language("bsl")


def kinds(text: str) -> list[tuple[str, str]]:
    return [(t.kind.value, text[t.span.start : t.span.end]) for t in BSL.tokens(text)]


def test_every_kind_of_token_is_named() -> None:
    text = "#Область О\nЕсли Не А.Если <> '20200101' Тогда Б[0] = \"а\n// не то\n|б\"; // да\n§"
    assert kinds(text) == [
        ("directive", "#Область О"),
        ("keyword", "Если"),
        ("operator", "Не"),
        ("name", "А"),
        ("punctuation", "."),
        ("name", "Если"),
        ("operator", "<>"),
        ("string", "'20200101'"),
        ("keyword", "Тогда"),
        ("name", "Б"),
        ("punctuation", "["),
        ("number", "0"),
        ("punctuation", "]"),
        ("operator", "="),
        ("string", '"а\n// не то\n|б"'),
        ("punctuation", ";"),
        ("comment", "// да"),
        ("error", "§"),
    ]


def test_await_is_a_keyword_only_in_asynchronous_methods() -> None:
    text = "Асинх Процедура А() Ждать Б(); КонецПроцедуры Процедура В() Ждать(); КонецПроцедуры"
    assert [kind for kind, word in kinds(text) if word == "Ждать"] == ["keyword", "name"]


@given(st.text(alphabet="аА1\"'|#/.;&~ \n\r\t=<>§", max_size=40))
def test_tokens_and_white_space_are_the_text(text: str) -> None:
    position = 0
    for token in BSL.tokens(text):
        assert text[position : token.span.start].strip(" \n\r\t") == ""
        assert token.span.start < token.span.end
        if token.kind is TokenKind.COMMENT:
            assert text.startswith("//", token.span.start)
        position = token.span.end
    assert text[position:].strip(" \n\r\t") == ""


@given(st.text(alphabet='аб"|/# \n\r\t', max_size=40).map('"'.__add__))
def test_a_string_is_finished_where_its_grammar_says_so(text: str) -> None:
    tokens = lexer.tokenize(text)
    for spelling, kind in zip(tokens.spellings, tokens.kinds, strict=True):
        if spelling.startswith('"'):
            assert (kind is Kind.STRING) == bool(re.fullmatch(lexer._STRING, spelling))


def test_kinds_stay_right_when_the_known_spellings_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lexer, "_MAX_KNOWN_SPELLINGS", 3)
    known = lexer._Kinds()
    words = ["Если", ";", "А", "<>", "1", "Если", "§", "'20200101'", ";"]
    assert [known[word] for word in words] == [
        *(Kind.IF, Kind.SEMICOLON, Kind.NAME, Kind.OPERATOR, Kind.NUMBER),
        *(Kind.IF, Kind.ERROR, Kind.DATE, Kind.SEMICOLON),
    ]
    assert len(known) <= 3


def test_builtins_are_bilingual_and_folded() -> None:
    names = (
        "Сообщить Message Тип Type ЗначениеЗаполнено ValueIsFilled Справочники Catalogs НСтр NStr"
    )
    assert {BSL.fold(name) for name in names.split()} <= BSL.builtins
    assert all(name == BSL.fold(name) for name in BSL.builtins)


def test_expected_is_written_in_the_language_of_the_module() -> None:
    russian, english = BSL.check("Если А Тогда Б = 1 2"), BSL.check("If A Then B = 1 2")
    assert russian and "КонецЕсли" in russian.expected and ";" in russian.expected
    assert english and "EndIf" in english.expected


def test_insertion_is_judged_with_what_surrounds_it() -> None:
    prefix, suffix = "Если А Тогда\n\t", "\nКонецЕсли;"
    assert BSL.check_insert(prefix, "Б = 1;", suffix)
    assert not BSL.check_insert(prefix, "Б = (1;", suffix)
