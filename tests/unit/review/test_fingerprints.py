"""A fingerprint stays while the finding does, and no two findings share one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nested_ray.config.review import ReviewConfig
from nested_ray.review import Reviewers, review
from nested_ray.review.fingerprints import steps_of

from .words import ODD, WordAnalyzer, python

LOOK = Reviewers([WordAnalyzer(ODD, "ODD")])
FUNCTION = "def f(a):\n    b = a\n    ODD = b\n    return ODD\n"
OTHER = "def g():\n    return 1\n"


def fingerprints(text: str, path: str = "a.py") -> list[str]:
    config = ReviewConfig(max_findings=1_000, max_findings_per_file=1_000)
    report = review([python(path, text)], config=config, reviewers=LOOK)
    return [each.fingerprint for each in report.remarks]


BEFORE = fingerprints(FUNCTION)


@given(st.lists(st.sampled_from(["", "# word", "x = 1", OTHER]), max_size=5))
def test_lines_put_before_a_function_keep_it(lines):
    assert fingerprints("\n".join([*lines, FUNCTION])) == BEFORE


@given(st.sampled_from(["  ", "\t", "      "]), st.integers(0, 3))
def test_indenting_the_function_keeps_it(indent, num_blank):
    body = FUNCTION.replace("    ", indent).replace("b = a\n", "b = a\n" + "\n" * num_blank)
    assert fingerprints(body) == BEFORE


def test_moving_the_function_keeps_it():
    assert fingerprints(f"{OTHER}\n{FUNCTION}") == fingerprints(f"{FUNCTION}\n{OTHER}") == BEFORE


def test_another_file_function_or_line_is_another_finding():
    others = [
        fingerprints(FUNCTION, "b.py"),
        fingerprints(FUNCTION.replace("def f", "def h")),
        fingerprints(
            FUNCTION.replace("ODD = b", "ODD = b + 1").replace("return ODD", "return -ODD")
        ),
    ]
    assert len({*BEFORE, *(each for other in others for each in other)}) == 8


@given(st.integers(1, 20))
def test_equal_findings_of_one_function_differ(count):
    found = fingerprints("def f():\n" + "    ODD()\n" * count)
    assert len(set(found)) == len(found) == count
    # and one more of them leaves the others as they were
    assert fingerprints("def f():\n" + "    ODD()\n" * (count + 1))[:count] == found


def test_running_again_gives_the_same():
    text = f"{FUNCTION}\n{OTHER}\nODD\n"
    assert fingerprints(text) == fingerprints(text)


DEFINITIONS = st.recursive(
    st.just([]), lambda inner: st.lists(inner, max_size=3), max_leaves=8
).filter(bool)


def laid_out(tree, start=0, name="d"):
    """Nested definitions with a character of their own on both sides."""
    end = start + 1
    found = []
    for index, inner in enumerate(tree):
        below, end = laid_out(inner, end, f"{name}.{index}")
        found += below
    return [(start, end + 1, name), *found], end + 1


@given(DEFINITIONS)
def test_the_innermost_definition_is_found(tree):
    definitions, end = laid_out(tree, start=2)
    offsets, names = steps_of(definitions)
    for place in range(end + 2):
        around = [d for d in definitions if d[0] <= place < d[1]]
        expected = min(around, key=lambda d: d[1] - d[0])[2] if around else ""
        assert names[sum(offset <= place for offset in offsets)] == expected
