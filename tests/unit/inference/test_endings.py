"""An answer ends where the suffix goes on: at its line, or at a bracket that the answer did not open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.inference.base import TokenLogprob
from nested_ray.inference.endings import NO_ENDING, Ending, ending_before
from nested_ray.inference.stops import TextBuffer


def answer(pieces: list[str], suffix: str) -> tuple[str, bool]:
    buffer = TextBuffer((), ending_before(suffix))
    text = ""
    for piece in pieces:
        released = buffer.push(TokenLogprob(0, "", -1.0), piece.encode())
        text += "".join(token.text for token in released)
        if buffer.stopped:
            return text, True
    return text + "".join(token.text for token in buffer.finish()), False


@pytest.mark.parametrize(
    ("suffix", "written", "kept"),
    [
        (")", "len(x))", "len(x)"),
        (")\n    return x\n", "len(x)) + 1\n", "len(x)"),
        (") -> None:\n", "self, x=f(1)):\n", "self, x=f(1)"),
        ("]\n", "[1, 2], [3]]", "[1, 2], [3]"),
        ("})\n", '"a": {"b": 1}}', '"a": {"b": 1}'),
        (")", '":)", x)', '":)", x'),
        (")", "'\\')', x)", "'\\')', x"),
        (":\n    pass\n", 'x[1:2] == ":":\n', 'x[1:2] == ":"'),
        (";\n", "Строка(А, Б);", "Строка(А, Б)"),
        ('")\n', 'a) b")', "a) b"),
        ('"""\n', 'Say "yes".""" + x', 'Say "yes".'),
        ("    )\n", "    a,\n    b(),\n    )\n", "    a,\n    b(),\n"),
        ("\n)\n", " b(\n1),\n)\n", " b(\n1),"),
        ("return x\n", "y = f(x)\nreturn x\n", "y = f(x)\n"),
        (", b)\n", "f(a, b), b)\n", "f(a, b)"),
    ],
)
def test_the_answer_ends_where_the_suffix_goes_on(suffix: str, written: str, kept: str):
    assert answer([written], suffix) == (kept, True)
    assert answer(list(written), suffix) == (kept, True)


def test_an_answer_that_closes_what_it_opened_goes_on():
    assert answer(["len", "(x", ")", " + 1  "], "  )") == ("len(x) + 1  ", False)


@pytest.mark.parametrize("suffix", ["", " \n\t\n"])
def test_nothing_behind_the_cursor_ends_nothing(suffix: str):
    assert ending_before(suffix) == NO_ENDING


def test_a_line_of_code_is_one_stop_string():
    assert ending_before("  return x  \ny\n") == Ending(stop=("  return x  \n",))


@given(text=st.text("([{)]} x\n", max_size=20), cut=st.integers(0, 20))
def test_brackets_are_balanced_up_to_the_end(text: str, cut: int):
    """Against counting: the kept text is the longest beginning that never closes too much."""
    depth, end = 0, len(text)
    for position, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if depth < 0:
            end = position
            break
    assert answer([text[:cut], text[cut:]], ")") == (text[:end], depth < 0)
