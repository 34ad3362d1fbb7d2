"""Text is shown only when it is certain: no part of a stop string, no half character."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from nested_ray.inference.base import TokenLogprob
from nested_ray.inference.stops import TextBuffer


def run(pieces: list[bytes], stop: tuple[str, ...]) -> tuple[list[list[TokenLogprob]], bool]:
    buffer = TextBuffer(stop)
    released = []
    for number, piece in enumerate(pieces):
        released.append(buffer.push(TokenLogprob(number, "", -1.0), piece))
        if buffer.stopped:
            return released, True
    released.append(buffer.finish())
    return released, False


def text_of(released: list[list[TokenLogprob]]) -> str:
    return "".join(token.text for tokens in released for token in tokens)


def test_text_without_stop_strings_is_released_token_by_token():
    released, stopped = run([b"def ", b"f(", b"):"], ())
    assert [[token.text for token in tokens] for tokens in released] == [
        ["def "],
        ["f("],
        ["):"],
        [],
    ]
    assert not stopped


def test_stop_string_across_tokens_is_held_back_and_cut():
    released, stopped = run([b"x = 1", b"\n", b"\nclass", b" A"], ("\n\n",))
    assert stopped
    assert text_of(released) == "x = 1"
    assert [token.token_id for tokens in released for token in tokens] == [0]


def test_token_that_crosses_the_stop_keeps_the_part_before_it():
    released, stopped = run([b"ret", b"urn 1\n    y"], ("\n",))
    assert stopped
    assert [token.text for tokens in released for token in tokens] == ["ret", "urn 1"]


def test_stop_string_that_is_complete_first_wins():
    released, _ = run([b"ab", b"cde"], ("de", "c", "bcde"))
    assert text_of(released) == "ab"
    released, _ = run([b"abcde"], ("c", "abc"))
    assert text_of(released) == ""


def test_cyrillic_letter_split_over_tokens_appears_once_it_is_whole():
    first, second = "Ж".encode()[:1], "Ж".encode()[1:]
    released, _ = run([b"1", first, second, "да".encode()], ())
    assert [[token.text for token in tokens] for tokens in released] == [
        ["1"],
        [],
        ["", "Ж"],
        ["да"],
        [],
    ]


def test_bytes_of_an_unfinished_character_are_dropped_at_the_end():
    released, _ = run(["Дa".encode(), "Ж".encode()[:1]], ())
    assert text_of(released) == "Дa"


def split_bytes(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def text_before_stop(text: str, stop: list[str]) -> str:
    """Letter by letter, as a reader without tokens would find it."""
    for end in range(len(text) + 1):
        complete = [one for one in stop if text[:end].endswith(one)]
        if complete:
            return text[: end - max(len(one) for one in complete)]
    return text


@given(
    text=st.text(alphabet="ab\nЖ…", max_size=30),
    cuts=st.lists(st.integers(min_value=0, max_value=200), max_size=20),
    stop=st.lists(st.text(alphabet="ab\nЖ", min_size=1, max_size=4), max_size=3),
)
def test_released_text_is_the_text_before_the_stop_string(text, cuts, stop):
    released, stopped = run(split_bytes(text.encode(), cuts), tuple(stop))
    assert text_of(released) == text_before_stop(text, stop)
    assert stopped == any(one in text for one in stop)
    seen = ""
    for tokens in released:
        seen += "".join(token.text for token in tokens)
        assert not any(one in seen for one in stop)
