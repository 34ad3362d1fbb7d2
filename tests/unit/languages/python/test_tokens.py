"""Tokens of Python; the standard library's tokenizer is the reference."""

import io
import sysconfig
import tokenize
from collections import Counter
from pathlib import Path

import pytest

from nested_ray.languages import get_language
from nested_ray.languages.base import TokenKind

PYTHON = get_language("python")
STDLIB = Path(sysconfig.get_paths()["stdlib"])
LAYOUT = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)


def spelled(text: str) -> list[tuple[str, str]]:
    return [
        (token.kind.value, text[token.span.start : token.span.end]) for token in PYTHON.tokens(text)
    ]


@pytest.mark.parametrize(
    "name", ["argparse.py", "dataclasses.py", "fractions.py", "asyncio/locks.py"]
)
def test_tokens_are_those_of_the_standard_library(name: str) -> None:
    text = (STDLIB / name).read_text(encoding="utf-8")
    reference = list(tokenize.generate_tokens(io.StringIO(text).readline))
    found = spelled(text)
    layout = [token.string for token in reference if token.type in LAYOUT]
    assert [word for kind, word in found if kind == "layout"] == layout
    # literals with replacement fields are one token there and several here
    fields = ("f", "F", "rf", "fr")
    others = Counter(
        token.string
        for token in reference
        if token.type not in (*LAYOUT, tokenize.NL, tokenize.ENDMARKER)
        and not token.string.startswith(
            tuple(prefix + quote for prefix in fields for quote in "\"'")
        )
    )
    assert not others - Counter(word for kind, word in found if kind != "layout")
    assert not any(kind == "error" for kind, _ in found)


def test_a_literal_with_fields_comes_in_parts() -> None:
    assert spelled("f'a{{{x!r:>{w}}b'") == [
        ("string", "f'a{{"),
        ("punctuation", "{"),
        ("name", "x"),
        ("punctuation", "!r"),
        ("punctuation", ":"),
        ("string", ">"),
        ("punctuation", "{"),
        ("name", "w"),
        ("punctuation", "}"),
        ("punctuation", "}"),
        ("string", "b'"),
    ]


def test_layout_stands_where_it_means_something() -> None:
    text = "if x:\n\n  # why\n  y = (\n1)\n\tz\n"
    layout = [token.span for token in PYTHON.tokens(text) if token.kind is TokenKind.LAYOUT]
    assert [text[span.start : span.end] for span in layout] == [
        "\n",
        "  ",
        "\n",
        "\t",
        "\n",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("match x:", ["keyword", "name", "punctuation"]),
        ("match = x", ["name", "operator", "name"]),
        ("match: int", ["name", "punctuation", "name"]),
        ("type X = int", ["keyword", "name", "operator", "name"]),
        ("@x", ["punctuation", "name"]),
        ("y @ x", ["name", "operator", "name"]),
        ("not x is y", ["operator", "name", "operator", "name"]),
        ("x = \\\n 1", ["name", "operator", "punctuation", "number"]),
        ("'a\nb", ["error", "layout", "name"]),
        ("1if x", ["number", "keyword", "name"]),
        ("x ² ٣", ["name", "error", "error"]),
        ("f'{x", ["string", "punctuation", "name"]),
        ("f'{x'+1", ["string", "punctuation", "name", "string", "operator", "number"]),
    ],
)
def test_words_and_signs_have_kinds(text: str, kinds: list[str]) -> None:
    assert [kind for kind, _ in spelled(text)] == kinds
