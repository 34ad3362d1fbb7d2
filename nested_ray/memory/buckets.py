"""Buckets: how much memory knows at a place, so that mixing weights can differ by it."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

# Upper edges. Memory's own certainty says most; the length of the match tells copied text from idiom.
CERTAINTY_EDGES = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.96)
LENGTH_EDGES = (3, 6)
NUM_BUCKETS = (len(CERTAINTY_EDGES) + 1) * (len(LENGTH_EDGES) + 1)


def bucket_of(distribution: NDArray[np.float32], matched_tokens: int) -> int:
    """The bucket of a recalled distribution that rests on a context of `matched_tokens`."""
    certainty = bisect_right(CERTAINTY_EDGES, float(distribution.max()))
    length = bisect_right(LENGTH_EDGES, matched_tokens)
    return certainty * (len(LENGTH_EDGES) + 1) + length
