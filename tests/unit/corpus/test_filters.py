import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.config.corpus import FilterConfig
from nested_ray.corpus.documents import REASONS
from nested_ray.corpus.filters import PathFilter, Refusal, decode, judge
from nested_ray.errors import ConfigError

RUSSIAN = 'Процедура Провести()\r\n\tСообщить("Готово");\r\nКонецПроцедуры\r\n'
READ = RUSSIAN.replace("\r\n", "\n")


@pytest.mark.parametrize(
    "data",
    [
        RUSSIAN.encode("utf-8"),
        codecs.BOM_UTF8 + RUSSIAN.encode("utf-8"),
        codecs.BOM_UTF16_LE + RUSSIAN.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + RUSSIAN.encode("utf-16-be"),
        RUSSIAN.encode("cp1251"),
        READ.replace("\n", "\r").encode("utf-8"),
    ],
    ids=["utf-8", "utf-8 with BOM", "utf-16-le", "utf-16-be", "cp1251", "old Mac line ends"],
)
def test_bsl_is_read_in_the_encodings_that_1c_writes(data):
    assert decode(data, "bsl") == READ


def test_python_is_read_in_the_encoding_it_declares():
    text = "# -*- coding: latin-1 -*-\nname = 'café'\n"
    assert decode(text.encode("latin-1"), "python") == text
    second_line = "#!/usr/bin/python\n# vim: set fileencoding=koi8-r :\nx = 'да'\n"
    assert decode(second_line.encode("koi8-r"), "python") == second_line
    emacs = "# coding: utf-8-unix\nx = 'да'\n"
    assert decode(emacs.encode(), "python") == emacs


def test_cookie_after_code_is_not_a_declaration():
    text = "x = 1\n# coding: ascii\ny = 'é'\n"
    assert decode(text.encode(), "python") == text


@pytest.mark.parametrize(
    "name", ["no-such-codec", "rot13", "hex", "zlib", "undefined", "idna", "utf-7"]
)
def test_odd_declared_encodings_never_raise(name):
    data = f"# coding: {name}\nx = '+2AA-'\n\xff".encode("latin-1")
    assert isinstance(decode(data, "python"), str | Refusal)


@pytest.mark.parametrize(
    ("data", "language", "reason"),
    [
        (b"x = 'caf\xe9'\n", "python", "encoding"),
        (b"# coding: uft-8\nx = 1\n", "python", "encoding"),
        ("naïve café".encode("latin-1"), "bsl", "encoding"),  # not Russian in Windows-1251
        (b"\x7fELF\0\0\0\0", "python", "binary"),
        (b"\x01\x02\x03\x04 some text\n", "python", "binary"),
        ("код".encode("utf-16-le"), "bsl", "binary"),  # no BOM, so nothing says that it is text
        (codecs.BOM_UTF16_LE + b"\x00\xd8", "bsl", "encoding"),  # half a surrogate pair
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "python", "unreadable"),
    ],
)
def test_refused_bytes_have_their_reason(data, language, reason):
    refusal = decode(data, language)
    assert isinstance(refusal, Refusal) and refusal.reason == reason


def test_form_feeds_and_escapes_are_text():
    assert decode(b"a = 1\n\x0c\nb = '\x1b[0m'\n", "python") == "a = 1\n\x0c\nb = '\x1b[0m'\n"


@given(
    st.binary(max_size=300)
    | st.builds(lambda head, tail: head + tail, st.sampled_from([
        codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE,
        b"# coding: utf-7\n", b"# coding: unicode_escape\n", b"# coding: utf-16\n", b"#coding:\n",
        b"# coding: raw_unicode_escape\n", b"# coding: punycode\n",
    ]), st.binary(max_size=100)),
    st.sampled_from(["python", "bsl"]),
)  # fmt: skip
def test_any_bytes_become_clean_text_or_a_known_reason(data, language):
    text = decode(data, language)
    if isinstance(text, Refusal):
        assert text.reason in REASONS
        return
    assert "\r" not in text and "\0" not in text
    text.encode("utf-8")
    refusal = judge(text, FilterConfig())
    assert refusal is None or refusal.reason in REASONS


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_utf8_text_without_control_characters_is_read_as_written(text):
    assert decode(text.encode("utf-8"), "bsl") == text.removeprefix("\ufeff") or "\x00" in text


def test_blank_text_is_empty():
    assert judge(" \n\t\n", FilterConfig()) == Refusal("empty")


def test_patterns_are_gitignore_patterns():
    both = PathFilter(FilterConfig(include=("src/",), exclude=("*_test.py", "!keep_test.py")))
    assert both.refuse("src/a.py") is None
    assert both.refuse("src/deep/keep_test.py") is None
    assert both.refuse("src/a_test.py") == Refusal("excluded", "in filters.exclude")
    assert both.refuse("other/a.py") == Refusal("excluded", "not in filters.include")
    assert PathFilter(FilterConfig()).refuse("anything") is None


def test_bad_pattern_names_its_setting():
    with pytest.raises(ConfigError, match=r"filters\.exclude: .*as in \.gitignore"):
        PathFilter(FilterConfig(exclude=("!",)))
