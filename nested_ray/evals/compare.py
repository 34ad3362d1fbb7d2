"""Lines compared with what stands there, and predictors with each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rapidfuzz import fuzz

from nested_ray.evals.mixing import MIN_Z, is_significant

Pair = tuple[str, str]
"""A line as it was written and as it stands in the file."""

MIN_EXACT_Z = 1.0
"""Exact lines are few: on balance they must only not be lost."""


def is_exact(written: str, expected: str) -> bool:
    """Equal, blanks at both ends aside."""
    return written.strip() == expected.strip()


def edit_similarity(written: str, expected: str) -> float:
    """Normalised Indel similarity in [0, 1] (rapidfuzz `ratio`, as CodeXGLUE reports it)."""
    return fuzz.ratio(written.strip(), expected.strip()) / 100


def improves_lines(ours: Sequence[Pair], theirs: Sequence[Pair]) -> bool:
    """Whether our lines are better than theirs beyond chance.

    The mean gain in similarity must be MIN_Z standard errors above zero, and exact lines must be won
    rather than lost.
    """
    gains = np.array(
        [
            edit_similarity(*one) - edit_similarity(*other)
            for one, other in zip(ours, theirs, strict=True)
        ]
    )
    if not gains.any():  # none at all, or no lines
        return False
    standard_error = gains.std() / np.sqrt(len(gains))
    exact = [(is_exact(*one), is_exact(*other)) for one, other in zip(ours, theirs, strict=True)]
    won = exact.count((True, False))
    lost = exact.count((False, True))
    keeps_exact = won == lost == 0 or is_significant(won, lost, MIN_EXACT_Z)
    return bool(gains.mean() >= MIN_Z * standard_error) and keeps_exact
