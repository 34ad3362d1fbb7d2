"""Fixes written back into files: nothing but the fix changes."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.analyzers.findings import Edit, Fix
from nested_ray.analyzers.syntax import rewrite
from nested_ray.corpus.filters import decode
from nested_ray.languages.base import Span


def insertion(offset: int, text: str) -> Fix:
    return Fix("", (Edit(Span(offset, offset), text),))


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (b"", "cp1251"),
    ],
)
def test_encoding_mark_and_line_ends_stay(mark: bytes, encoding: str) -> None:
    data = mark + "Перем Счёт;\r\nСчёт = 1\r\nГ = 2;\r\n".encode(encoding)
    text = decode(data, "bsl")
    assert isinstance(text, str)
    written = rewrite(data, "bsl", insertion(text.index("\nГ"), ";\n//"))
    assert written == mark + "Перем Счёт;\r\nСчёт = 1;\r\n//\r\nГ = 2;\r\n".encode(encoding)


def test_a_character_the_encoding_lacks_is_refused() -> None:
    data = b"# -*- coding: latin-1 -*-\nx = '\xe9'\n"
    assert rewrite(data, "python", insertion(26, "ж")) is None
    assert rewrite(data, "python", insertion(26, "\xfc = 1\n")) == data.replace(
        b"x =", b"\xfc = 1\nx ="
    )


@given(
    lines=st.lists(st.text(alphabet="aбж ", max_size=4), min_size=1, max_size=6),
    ends=st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=6, max_size=6),
    place=st.integers(0, 40),
)
def test_the_decoded_result_is_the_fixed_text(
    lines: list[str], ends: list[str], place: int
) -> None:
    data = "".join(a + b for a, b in zip(lines, ends, strict=False)).encode()
    text = decode(data, "bsl")
    assert isinstance(text, str)
    fix = insertion(min(place, len(text)), "X")
    written = rewrite(data, "bsl", fix)
    if written is None:
        # Between a lone CR and LF nothing can be written without making one line end of two.
        assert "\r" in "".join(ends)
    else:
        assert decode(written, "bsl") == fix.apply(text)
