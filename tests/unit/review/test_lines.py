"""Offsets as lines and columns, beside what encoding the text says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.languages.base import Span
from nested_ray.review.lines import Lines, Region

TEXTS = st.text(st.sampled_from("a\tЖ𐐀界é\n\f "), max_size=40)


@given(TEXTS, st.integers(-2, 45), st.integers(-2, 45))
def test_a_region_counts_what_stands_before_it(text, start, end):
    lines = Lines(text)
    start, end = sorted(min(max(each, 0), len(text)) for each in (start, end))
    for region_of, encoding, size in (
        (lines.region, "utf-32-le", 4),
        (lines.utf16_region, "utf-16-le", 2),
        (lines.utf8_region, "utf-8", 1),
    ):
        region = region_of(Span(start, end))
        for offset, line, column in ((start, *region[:2]), (end, *region[2:])):
            before = text[:offset].split("\n")
            assert (line, column) == (len(before), len(before[-1].encode(encoding)) // size + 1)


def test_columns_in_three_units():
    lines = Lines("a𐐀b\nЖ = 1")
    assert lines.region(Span(2, 3)) == Region(1, 3, 1, 4)
    assert lines.utf16_region(Span(2, 3)) == Region(1, 4, 1, 5)
    assert lines.utf8_region(Span(2, 3)) == Region(1, 6, 1, 7)  # reviewdog's own example
    assert lines.utf8_region(Span(6, 7)) == Region(2, 4, 2, 5)


@pytest.mark.parametrize(
    ("span", "numbers"),
    [((0, 1), [1]), ((0, 2), [1]), ((0, 3), [1, 2]), ((2, 2), [2]), ((3, 99), [2, 3]), ((99, 99), [3])],
)  # fmt: skip
def test_lines_a_span_touches(span, numbers):
    assert list(Lines("a\nb\nc").numbers(Span(*span))) == numbers


@given(TEXTS)
def test_lines_are_what_splitting_gives(text):
    lines = Lines(text)
    assert [lines.line(number + 1) for number in range(len(lines))] == text.split("\n")
