from __future__ import annotations

import numpy as np
import pytest

from nested_ray.memory import NgramIndex


@pytest.fixture
def documents() -> list[list[int]]:
    """Twelve documents over 30 ids that repeat phrases of one another."""
    rng = np.random.default_rng(7)
    phrases = [rng.integers(0, 30, rng.integers(2, 9)).tolist() for _ in range(10)]
    return [[token for i in rng.integers(0, 10, 12) for token in phrases[i]] for _ in range(12)]


@pytest.fixture
def index(documents) -> NgramIndex:
    return NgramIndex.build(documents, vocab_size=32, max_order=5)
