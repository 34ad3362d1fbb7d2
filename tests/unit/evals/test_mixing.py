"""A level is mixed in only where validation tokens show that it helps memory and does not harm it."""

from __future__ import annotations

import numpy as np
import pytest

from nested_ray.evals.mixing import ForcedTokens, fit_choice, keep_gains, scale_level

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


def test_level_that_corrects_memory_may_choose():
    helps = make_tokens(0, [0.3, 0.4, 0.1], [0.9, 0.05, 0.0], 40)
    assert keep_gains(MEMORY, FITTED, helps)[0] == pytest.approx(FITTED[0])
    assert fit_choice(MEMORY, FITTED, helps)[0][2] >= 0.25


def test_level_without_gain_in_likelihood_gets_no_weight():
    harms = make_tokens(0, [0.5, 0.4, 0.1], [0.1, 0.8, 0.0], 40)
    assert keep_gains(MEMORY, FITTED, harms) == pytest.approx(MEMORY)


def test_gain_that_a_weight_reaches_by_chance_is_not_taken():
    # ln(0.55 / 0.5) = 0.095 nats a token: 1.9 nats over 20 tokens, 3.8 over 40.
    little = make_tokens(0, [0.5, 0.4, 0.1], [0.6, 0.3, 0.0], 20)
    assert keep_gains(MEMORY, FITTED, little) == pytest.approx(MEMORY)
    enough = make_tokens(0, [0.5, 0.4, 0.1], [0.6, 0.3, 0.0], 40)
    assert keep_gains(MEMORY, FITTED, enough)[0] == pytest.approx(FITTED[0])


def test_likelier_tokens_without_better_guesses_leave_the_choice_to_memory():
    surer = make_tokens(0, [0.5, 0.4, 0.1], [0.9, 0.1, 0.0], 40)
    assert keep_gains(MEMORY, FITTED, surer)[0] == pytest.approx(FITTED[0])
    assert fit_choice(MEMORY, FITTED, surer) == pytest.approx(MEMORY)


@pytest.mark.parametrize(("count", "may_choose"), [(3, False), (4, True)])
def test_few_corrections_are_not_enough_to_choose(count, may_choose):
    # Sign test: 3 of 3 is 1.7 standard deviations of a fair coin, 4 of 4 is 2.
    helps = make_tokens(0, [0.3, 0.4, 0.1], [0.9, 0.05, 0.0], count)
    assert (fit_choice(MEMORY, FITTED, helps)[0][2] > 0) == may_choose


def test_choice_takes_the_weight_that_wins_most_on_balance():
    # Memory is wrong until the level outweighs it: 0.1 (1 - w) < 0.6 w, w > 1/7; and right until
    # it is outweighed: 0.3 (1 - w) < 0.4 w, w > 3/7. Between them every guess is right.
    tokens = join(
        make_tokens(0, [0.3, 0.4, 0.0], [0.7, 0.1, 0.0], 30),
        make_tokens(0, [0.5, 0.2, 0.0], [0.2, 0.6, 0.0], 20),
    )
    weight = fit_choice(MEMORY, FITTED, tokens)[0][2]
    assert 1 / 7 < weight < 3 / 7


def test_scaled_weights_keep_the_proportion_of_the_others_and_add_up_to_one():
    assert scale_level(FITTED[0], 0.5) == pytest.approx([0.3, 0.45, 0.25])
    assert scale_level(FITTED[0], 4.0) == pytest.approx([0, 0, 1])


def test_buckets_are_judged_apart_and_unseen_ones_keep_memory():
    helps = make_tokens(1, [0.3, 0.4, 0.1], [0.9, 0.05, 0.0], 40)
    for weights in (keep_gains(MEMORY, FITTED, helps), fit_choice(MEMORY, FITTED, helps)):
        assert weights[0] == pytest.approx(MEMORY[0])
        assert weights[1][2] > 0
