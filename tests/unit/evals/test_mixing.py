"""A level is mixed in only where validation tokens show that it helps memory and does not harm it."""

from __future__ import annotations

import numpy as np
import pytest

from nested_ray.evals.mixing import ForcedTokens, guard_weights

MEMORY = np.array([[0.4, 0.6, 0.0], [0.4, 0.6, 0.0]])
FITTED = np.array([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]])


def make_tokens(bucket: int, memory: list[float], level: list[float], count: int) -> ForcedTokens:
    """`count` tokens with the same three candidates; the first of them is the one that came."""
    experts = np.array([memory, memory, level]).T
    return ForcedTokens(
        buckets_N=np.full(count, bucket),
        gold_NE=np.tile(experts[0], (count, 1)),
        candidates_NCE=np.tile(experts, (count, 1, 1)),
        is_gold_NC=np.tile([True, False, False], (count, 1)),
    )


def join(*parts: ForcedTokens) -> ForcedTokens:
    return ForcedTokens(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("buckets_N", "gold_NE", "candidates_NCE", "is_gold_NC")
        )
    )


def test_level_that_corrects_memory_gets_its_fitted_weight():
    helps = make_tokens(0, [0.3, 0.4, 0.1], [0.9, 0.05, 0.0], 40)
    assert guard_weights(MEMORY, FITTED, helps)[0] == pytest.approx(FITTED[0])


def test_level_without_gain_in_likelihood_gets_nothing():
    harms = make_tokens(0, [0.5, 0.4, 0.1], [0.1, 0.8, 0.0], 40)
    assert guard_weights(MEMORY, FITTED, harms) == pytest.approx(MEMORY)


def test_gain_that_two_weights_reach_by_chance_is_not_taken():
    # ln(0.55 / 0.5) = 0.095 nats a token at the full step: 1.9 nats over 20 tokens.
    little = make_tokens(0, [0.5, 0.4, 0.1], [0.6, 0.3, 0.0], 20)
    assert guard_weights(MEMORY, FITTED, little) == pytest.approx(MEMORY)
    enough = make_tokens(0, [0.5, 0.4, 0.1], [0.6, 0.3, 0.0], 40)
    assert guard_weights(MEMORY, FITTED, enough)[0] == pytest.approx(FITTED[0])


def test_weight_shrinks_until_no_right_guess_of_memory_is_lost():
    # Likelier on the whole, but at half the weight the level outvotes memory where memory is right:
    # 0.5 * 0.45 + 0.5 * 0.3 < 0.5 * 0.4 + 0.5 * 0.6.
    tokens = join(
        make_tokens(0, [0.45, 0.40, 0.1], [0.30, 0.60, 0.0], 10),
        make_tokens(0, [0.50, 0.10, 0.1], [0.95, 0.02, 0.0], 200),
    )
    weights = guard_weights(MEMORY, FITTED, tokens)[0]
    # Memory stays ahead by 0.05 (1 - w) > 0.3 w for w < 1/7: the step of 1/4 gives w = 1/8.
    assert weights[2] == pytest.approx(0.125)
    assert weights.sum() == pytest.approx(1)


def test_buckets_are_judged_apart_and_unseen_ones_keep_memory():
    helps = make_tokens(1, [0.3, 0.4, 0.1], [0.9, 0.05, 0.0], 40)
    weights = guard_weights(MEMORY, FITTED, helps)
    assert weights[0] == pytest.approx(MEMORY[0])
    assert weights[1] == pytest.approx(FITTED[1])
