"""Diffs as git and difflib write them, applied both ways; broken ones are refused with their line."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.errors import InvalidRequest
from nested_ray.review.patch import parse_patch, unquote

TEXTS = st.lists(st.sampled_from(["a", "b", "-- c", "++ d", "@@ e", "", "\\ f"]), max_size=10).map(
    lambda lines: "".join(line + "\n" for line in lines)
)


def unified(old: str, new: str, context: int = 3) -> str:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), "a/x.py", "b/x.py", n=context
    )
    return "".join(lines)


@given(TEXTS, TEXTS, st.integers(0, 3))
def test_a_diff_turns_the_old_text_into_the_new_one_and_back(old, new, context):
    patches = parse_patch(unified(old, new, context))
    text, back = old, new
    for patch in patches:
        assert (patch.old_path, patch.new_path) == ("x.py", "x.py")
        text, back = patch.apply(text), patch.revert(back)
    assert (text, back) == ((new, old) if patches else (old, new))


def test_a_diff_fits_only_the_text_it_was_made_of():
    (patch,) = parse_patch(unified("a\nb\nc\n", "a\nx\nc\n"))
    assert patch.apply("a\nB\nc\n") is None
    assert patch.revert("a\nb\nc\n") is None


def test_a_line_without_end_stays_so():
    diff = "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"
    (patch,) = parse_patch(diff)
    assert patch.apply("a\nb") == "a\nb\n"
    assert patch.revert("a\nb\n") == "a\nb"
    (both,) = parse_patch(diff.replace("+b\n", "+c\n\\ No newline at end of file\n"))
    assert both.apply("a\nb") == "a\nc"


GIT = """\
From 1234 Mon Sep 17 00:00:00 2001
Subject: [PATCH] everything

diff --git a/old.py b/new.py
similarity index 90%
rename from old.py
rename to new.py
--- a/old.py
+++ b/new.py
@@ -1 +1 @@ def f():
-a
+b
diff --git "a/\\320\\226.bsl" "b/\\320\\226.bsl"
new file mode 100644
--- /dev/null
+++ "b/\\320\\226.bsl"
@@ -0,0 +1 @@
+x
diff --git a/gone.py b/gone.py
deleted file mode 100644
--- a/gone.py
+++ /dev/null
@@ -1 +0,0 @@
-y
diff --git a/empty.py b/empty.py
new file mode 100644
diff --git a/moved.py b/there.py
rename from moved.py
rename to there.py
diff --git a/pic.png b/pic.png
GIT binary patch
literal 3
"""


def test_renames_additions_and_deletions_are_read():
    assert [(patch.old_path, patch.new_path, len(patch.hunks)) for patch in parse_patch(GIT)] == [
        ("old.py", "new.py", 1),
        (None, "Ж.bsl", 1),
        ("gone.py", None, 1),
        (None, "empty.py", 0),
        ("moved.py", "there.py", 0),
        ("pic.png", "pic.png", 0),
    ]


def test_a_plain_diff_with_timestamps_is_read():
    diff = "--- x.py\t2024-01-01 00:00:00\r\n+++ x.py\t2024-01-02\r\n@@ -1 +1 @@\r\n-a\r\n+b\r\n"
    (patch,) = parse_patch(diff)
    assert (patch.path, patch.apply("a\n")) == ("x.py", "b\n")


@pytest.mark.parametrize(
    ("diff", "says"),
    [
        ("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n", "hunk at line 3"),
        ("--- a/x\n+++ b/x\n@@ -1,999999999 +1 @@\n-a\n", "hunk at line 3"),
        ("--- a/x\n+++ b/x\n@@ what @@\n", "line 3 of the diff is no hunk header"),
        ("@@ -1 +1 @@\n-a\n+b\n", "line 1 of the diff is no hunk header"),
        ("--- a/x\n+++ b/x\n@@ -1,1 +1,2 @@\n-a\n-b\n-c\n+d\n+e\n", "does not add up"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\nwhat\n", "line 4 of the diff does not belong"),
        ("just some words\n", "no unified diff"),
    ],
)
def test_a_broken_diff_is_refused_with_its_line(diff, says):
    with pytest.raises(InvalidRequest, match=says):
        parse_patch(diff)


@given(st.text(st.sampled_from('+-@ \\\n"abd/01,@diff git-\t\0'), max_size=200))
def test_any_text_is_read_or_refused(text):
    try:
        parse_patch(text)
    except InvalidRequest as exc:
        assert str(exc)


def test_nothing_is_an_empty_diff():
    assert parse_patch("") == parse_patch("\n") == []


def test_quoted_paths():
    assert unquote('a\\tb\\\\\\"\\303\\251') == 'a\tb\\"é'
    assert unquote("\\377") == "\\xff"
