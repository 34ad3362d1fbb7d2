"""Which lines are new, and which file is which, beside what any diff must satisfy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.review.change import changed_lines, compare

from .words import python

SHORT = st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=12).map("\n".join)


@given(SHORT, SHORT)
def test_lines_that_are_not_new_stand_in_the_old_text_in_this_order(old, new):
    changed = changed_lines(old, new)
    kept = [line for number, line in enumerate(new.split("\n"), 1) if number not in changed]
    remaining = iter(old.split("\n"))
    assert all(line in remaining for line in kept)


@given(SHORT, st.integers(0, 12), st.lists(st.sampled_from(["x", "y"]), min_size=1, max_size=4))
def test_inserted_lines_are_the_new_ones(old, at, inserted):
    lines = old.split("\n")
    at = min(at, len(lines))
    new = [*lines[:at], *inserted, *lines[at:]]
    assert changed_lines(old, "\n".join(new)) == set(range(at + 1, at + 1 + len(inserted)))


@given(SHORT)
def test_nothing_is_new_in_an_equal_text(text):
    assert changed_lines(text, text) == frozenset()


def test_where_lines_were_taken_out_their_neighbours_count():
    assert changed_lines("a\nb\nc\nd", "a\nd") == {1, 2}


def test_a_large_rewritten_text_is_compared_in_bounded_time():
    old = "\n".join(["x", "y"] * 30_000)
    new = "\n".join(["y", "z", "x"] * 20_000)
    assert len(changed_lines(old, new)) > 50_000


BODY = "import os\n\n\ndef read(path):\n    with open(path) as file:\n        return file.read()\n"


@pytest.mark.parametrize("edited", [BODY, BODY.replace("path", "name"), BODY + "\nx = 1\n"])
def test_a_file_that_is_mostly_the_same_was_renamed(edited):
    change = compare([python("a.py", BODY)], [python("b.py", edited)])
    assert change.renamed == {"b.py": "a.py"}
    assert change.lines == {"b.py": changed_lines(BODY, edited)}
    assert change.removed == frozenset()


def test_another_text_is_another_file():
    change = compare([python("a.py", BODY)], [python("b.py", "x = 1\ny = 2\n")])
    assert change.renamed == {}
    assert change.removed == {"a.py"}
    assert change.lines == {"b.py": {1, 2, 3}}


def test_an_untouched_file_is_not_part_of_the_change():
    files = [python("a.py", BODY), python("b.py", "x = 1\n")]
    assert compare(files, [files[0], python("b.py", "x = 2\n")]).lines == {"b.py": {1}}
