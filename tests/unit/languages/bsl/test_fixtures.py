"""Every fixture under tests/data/bsl: valid ones parse, invalid ones fail exactly where they say."""

import re
from pathlib import Path

import pytest

from nested_ray.languages import Validity, get_language
from nested_ray.languages.bsl.lexer import tokenize

DATA = Path(__file__).parents[3] / "data" / "bsl"
VALID = sorted((DATA / "valid").iterdir())
INVALID = sorted((DATA / "invalid").iterdir())
BSL = get_language("bsl")


def read(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def position(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_valid_module_has_no_error(path: Path) -> None:
    assert BSL.check(read(path)) is None
    assert BSL.check_prefix(read(path)) is Validity.VALID


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_every_beginning_of_a_valid_module_can_be_continued(path: Path) -> None:
    text = read(path)
    refused = [end for end in range(len(text)) if BSL.check_prefix(text[:end]) is Validity.INVALID]
    assert refused == []


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name)
def test_error_stands_where_the_first_line_says(path: Path) -> None:
    text = read(path)
    match = re.match(r"// error at (\d+):(\d+)\n", text)
    issue = BSL.check(text)
    assert match and issue
    assert position(text, issue.span.start) == (int(match[1]), int(match[2]))


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name)
def test_beginning_is_invalid_as_soon_as_the_error_is_whole(path: Path) -> None:
    text = read(path)
    issue = BSL.check(text)
    assert issue
    expected = Validity.INCOMPLETE if issue.span.start == len(text) else Validity.INVALID
    assert BSL.check_prefix(text) is expected
    assert BSL.check_prefix(text[: issue.span.start]) is not Validity.INVALID


@pytest.mark.parametrize("path", VALID + INVALID, ids=lambda path: path.name)
def test_tokens_and_trivia_are_the_text(path: Path) -> None:
    assert "".join(tokenize(read(path)).pieces()) == read(path)
