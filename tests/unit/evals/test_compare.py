"""Lines are compared pairwise; a predictor may differ from memory only where it is better."""

from __future__ import annotations

import pytest
from rapidfuzz.distance import Indel

from nested_ray.evals.compare import edit_similarity, improves_lines, is_exact

EXPECTED = [f"value_{number} = total({number})" for number in range(40)]


def pairs(lines: list[str]) -> list[tuple[str, str]]:
    return list(zip(lines, EXPECTED, strict=True))


def test_blanks_around_a_line_do_not_count():
    assert is_exact("  x = 1 ", "x = 1")
    assert not is_exact("x = 1", "x  = 1")


def test_similarity_is_the_normalised_indel_similarity():
    assert edit_similarity(" abcd", "abxd ") == pytest.approx(0.75)  # 3 of 4 letters stay
    assert edit_similarity("итог", "итого") == pytest.approx(
        Indel.normalized_similarity("итог", "итого")
    )


def test_better_lines_are_an_improvement_and_the_same_lines_are_none():
    theirs = [line[:5] for line in EXPECTED]
    assert improves_lines(pairs(EXPECTED), pairs(theirs))
    assert not improves_lines(pairs(theirs), pairs(theirs))


def test_worse_lines_and_lines_better_by_chance_are_refused():
    theirs = [line[:9] for line in EXPECTED]
    assert not improves_lines(pairs([line[:3] for line in EXPECTED]), pairs(theirs))
    one_better = [EXPECTED[0], *theirs[1:]]
    assert not improves_lines(pairs(one_better), pairs(theirs))


def test_more_similar_lines_that_lose_exact_ones_are_refused():
    theirs = EXPECTED[:4] + ["x"] * 36
    ours = [line[:-1] for line in EXPECTED]
    assert not improves_lines(pairs(ours), pairs(theirs))
