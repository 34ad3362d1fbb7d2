import compileall
import sysconfig
from pathlib import Path

import pytest

from nested_ray.languages import Span, get_language

PYTHON = get_language("python")


@pytest.mark.parametrize("name", ["argparse.py", "typing.py", "dataclasses.py", "enum.py"])
def test_standard_library_has_no_error(name: str) -> None:
    path = Path(sysconfig.get_paths()["stdlib"]) / name
    assert PYTHON.check(path.read_text(encoding="utf-8")) is None
    assert compileall.compile_file(path, quiet=2, optimize=0)


@pytest.mark.parametrize(
    ("text", "span", "message"),
    [
        ("x = 1\nимя = = 2\n", Span(12, 13), "invalid syntax"),
        ("return 1", Span(0, 8), "'return' outside function"),
        ("é = 1\r\nf(a b)\r\n", Span(9, 12), "invalid syntax. Perhaps you forgot a comma?"),
        ("x = 1\0", Span(5, 6), "source code cannot contain a NUL character"),
        ("x = '\ud800'", Span(5, 6), "a lone surrogate is not a character"),
        ("x = (", Span(4, 5), "'(' was never closed"),
    ],
)
def test_error_is_a_span_of_characters(text: str, span: Span, message: str) -> None:
    issue = PYTHON.check(text)
    assert issue and (issue.span.start, issue.message) == (span.start, message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("if x\n  y", (":",)),
        ("x = (1", (")",)),
        ("x = (1]", (")",)),
        ("f(a b)", (",",)),
        ("if x = 1: pass", ("==", ":=")),
        ("try:\n  pass\n", ("except", "finally")),
        ("x = 1 if 2", ("else",)),
        ("def f():\nx", ("indented block",)),
        ("for x y", ()),
    ],
)
def test_what_could_stand_there_is_told_where_the_compiler_says_it(
    text: str, expected: tuple[str, ...]
) -> None:
    issue = PYTHON.check(text)
    assert issue and issue.expected == expected


def test_warnings_are_no_errors() -> None:
    assert PYTHON.check("x = '\\d' is 1\n") is None


def test_byte_order_mark_is_no_part_of_the_text() -> None:
    assert PYTHON.check("\ufeffx = 1") is None
    issue = PYTHON.check("\ufeffx = =")
    assert issue and issue.span.start == 5
