"""Reading a file in steps: names of an unfinished line, and what is kept of finished pieces."""

from __future__ import annotations

import time

import pytest

from nested_ray.languages import get_language
from nested_ray.levels.pieces import read_piece
from nested_ray.levels.reader import PieceCache, names_in_line

PYTHON = get_language("python")


def names(line: str) -> list[tuple[str | None, str, bool]]:
    return [(found.qualifier, found.name, found.is_call) for found in names_in_line(line)]


def test_names_come_with_their_qualifier():
    assert names("x = os.path.join (a, f().b.c(") == [
        (None, "x", False),
        ("os.path", "join", True),
        (None, "a", False),
        (None, "f", True),
        ("b", "c", True),
    ]


def test_numbers_are_no_names():
    assert names("y = 0x1F + 1e5 + 2.5 + v2.x1") == [(None, "y", False), ("v2", "x1", False)]


@pytest.mark.parametrize("unit", ["1", "a", "a.", "1.", "a1 ", "a(", " ", "_"])
def test_reading_a_line_costs_about_the_same_per_character(unit):
    """Twenty times the line, about twenty times the time; 400 times where starts are tried again."""

    def reading_time(size: int) -> float:
        line = unit * (size // len(unit))
        times = []
        for _ in range(7):
            start = time.thread_time()  # other processes do not count
            names_in_line(line)
            times.append(time.thread_time() - start)
        return min(times)

    assert reading_time(400_000) < 100 * reading_time(20_000)


def test_kept_pieces_are_what_reading_gives_and_bounded_by_their_text():
    cache = PieceCache(max_chars=1_000)
    texts = [f"def f{number}(x):\n    return {'g(x) + ' * 20}1\n" for number in range(12)]
    for text in [*texts, *texts[::-1]]:
        assert cache.read(text, "", PYTHON) == read_piece(text, "", PYTHON)
        assert 0 < cache.num_chars <= 1_000


def test_a_piece_that_was_read_lately_is_not_read_again():
    text = "def f(x):\n    return x\n"
    cache = PieceCache(max_chars=2 * len(text))
    first = cache.read(text, "", PYTHON)
    assert cache.read(text.replace("f", "g", 1), "", PYTHON) is not first
    assert cache.read(text, "", PYTHON) is first
    cache.read(text.replace("f", "h", 1), "", PYTHON)
    assert cache.read(text, "", PYTHON) is first


def test_one_piece_beyond_the_bound_is_read_and_not_kept():
    cache = PieceCache(max_chars=10)
    text = "def f(x):\n    return x\n"
    assert cache.read(text, "", PYTHON).definitions[0].name == "f"
    assert cache.num_chars == 0
