"""How sure a model is of its own answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nested_ray.inference.base import TokenLogprob


def confidence(tokens: Sequence[TokenLogprob]) -> float:
    """`exp` of the mean log-probability of the chosen tokens, in [0, 1]; 0 for an empty answer.

    It is the geometric mean of the tokens' probabilities, so answers of different lengths compare.
    """
    if not tokens:
        return 0.0
    return mean_confidence(sum(token.logprob for token in tokens) / len(tokens))


def mean_confidence(mean_logprob: float) -> float:
    """The same from a mean log-probability, such as `Engine.score` gives; 0 for -inf."""
    return min(1.0, math.exp(mean_logprob))
