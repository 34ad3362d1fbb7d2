from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.errors import StorageError
from nested_ray.memory import NUM_BUCKETS, MixingWeights, Recall
from nested_ray.memory.mixing import MIN_LEVEL_WEIGHT, PRIOR_TOKENS, _em_round


def random_gold(num_tokens, num_experts, seed=0):
    rng = np.random.default_rng(seed)
    buckets = rng.integers(0, NUM_BUCKETS, num_tokens)
    return buckets, rng.uniform(1e-6, 1.0, (num_tokens, num_experts))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1_000), num_experts=st.sampled_from([2, 3]))
def test_no_round_of_em_lowers_the_likelihood(seed, num_experts):
    buckets, gold = random_gold(200, num_experts, seed)
    prior = np.full((NUM_BUCKETS, num_experts), 1.0 / num_experts)
    weights, objectives = prior, []
    for _ in range(20):
        weights, objective = _em_round(buckets, gold, weights, PRIOR_TOKENS * prior)
        objectives.append(objective)
        np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(objectives))


def test_fitted_weights_are_those_of_a_search_over_all_weights():
    """One bucket, so many tokens that the prior hardly counts; the optimum is looked for on a grid."""
    rng = np.random.default_rng(1)
    gold = np.stack([rng.beta(1, 4, 20_000), rng.beta(2, 3, 20_000)], axis=1)
    weights = MixingWeights.fit(np.zeros(len(gold), int), gold)
    grid = np.linspace(0.0005, 0.9995, 1_000)
    likelihoods = [np.log(share * gold[:, 0] + (1 - share) * gold[:, 1]).mean() for share in grid]
    assert weights.weights[0, 0] == pytest.approx(grid[np.argmax(likelihoods)], abs=0.01)


def test_buckets_differ_where_they_have_evidence_and_agree_where_they_have_none():
    corpus_knows, cache_knows = [0.9, 0.1], [0.1, 0.9]
    buckets = np.array([0] * 2_000 + [1] * 2_000)
    weights = MixingWeights.fit(buckets, np.array([corpus_knows] * 2_000 + [cache_knows] * 2_000))
    assert weights.weights[0, 0] > 0.95 and weights.weights[1, 1] > 0.95
    np.testing.assert_allclose(weights.weights[2], weights.weights[NUM_BUCKETS - 1])
    assert 0.3 < weights.weights[2, 0] < 0.7


def test_a_level_that_knows_nothing_leaves_memory_exactly_as_it_was():
    buckets, gold = random_gold(3_000, 2)
    alone = MixingWeights.fit(buckets, gold)
    mixed = MixingWeights.fit(buckets, np.column_stack([gold, np.full(len(gold), 1e-5)]))
    np.testing.assert_array_equal(mixed.weights[:, :2], alone.weights)
    assert not mixed.weights[:, 2].any()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1_000), scale=st.floats(0.01, 1.0))
def test_adding_a_level_never_makes_the_fitted_text_less_likely(seed, scale):
    buckets, gold = random_gold(2_000, 3, seed)
    gold[:, 2] *= scale
    alone = MixingWeights.fit(buckets, gold[:, :2])
    mixed = MixingWeights.fit(buckets, gold)
    likelihood = mixed.likelihood(buckets, gold)
    # Dropping a share under MIN_LEVEL_WEIGHT may cost what that share had gained, and no more.
    assert likelihood >= alone.likelihood(buckets, gold[:, :2]) - MIN_LEVEL_WEIGHT


def test_a_level_is_believed_where_memory_is_unsure():
    buckets = np.array([0] * 1_000 + [NUM_BUCKETS - 1] * 1_000)
    gold = np.array([[0.05, 0.1, 0.4]] * 1_000 + [[0.9, 0.98, 0.4]] * 1_000)
    weights = MixingWeights.fit(buckets, gold).weights
    assert weights[0, 2] > 0.9
    assert weights[NUM_BUCKETS - 1, 2] < 0.1


def test_fitting_without_tokens_gives_usable_weights():
    weights = MixingWeights.fit(np.empty(0, int), np.empty((0, 3)))
    np.testing.assert_allclose(weights.weights.sum(axis=1), 1.0)


def test_mix_is_the_weighted_sum():
    recall = Recall(
        np.array([0.5, 0.5, 0.0], np.float32), np.array([0.0, 0.5, 0.5], np.float32), bucket=4
    )
    shares = np.tile([0.2, 0.3, 0.5], (NUM_BUCKETS, 1))
    mixed = MixingWeights(("corpus", "cache", "level"), shares).mix(recall, np.array([1.0, 0, 0]))
    np.testing.assert_allclose(mixed, [0.6, 0.25, 0.15], rtol=1e-6)


def test_mix_refuses_a_missing_superfluous_or_foreign_level():
    recall = Recall(np.ones(3, np.float32) / 3, np.ones(3, np.float32) / 3, bucket=0)
    memory = MixingWeights.fit(*random_gold(10, 2))
    level = MixingWeights.fit(*random_gold(10, 3))
    with pytest.raises(ValueError, match="a level distribution was given"):
        memory.mix(recall, np.ones(3) / 3)
    with pytest.raises(ValueError, match="no level distribution was given"):
        level.mix(recall)
    with pytest.raises(ValueError, match="predicts 4 token ids, memory 3"):
        level.mix(recall, np.ones(4) / 4)


def test_weights_survive_json():
    weights = MixingWeights.fit(*random_gold(500, 3))
    again = MixingWeights.from_json(weights.to_json(), experts=weights.experts)
    assert again.experts == weights.experts
    np.testing.assert_array_equal(again.weights, weights.weights)


def edited(**changes):
    values = json.loads(MixingWeights.fit(*random_gold(10, 2)).to_json()) | changes
    return json.dumps(values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("{}", "cannot be read"),
        ("[]", "cannot be read"),
        (edited(format=2), "format 2"),
        (edited(experts=["corpus", "oracle"]), "oracle"),
        (edited(weights=[[0.5, 0.5]]), f"has {NUM_BUCKETS} buckets"),
        (edited(weights=[[0.5, 0.6]] * NUM_BUCKETS), "do not sum to 1"),
        (edited(weights=[[0.5, "x"]] * NUM_BUCKETS), "cannot be read"),
    ],
)
def test_weights_that_cannot_be_trusted_are_refused(text, message):
    with pytest.raises(StorageError, match=message):
        MixingWeights.from_json(text)


def test_weights_for_other_experts_are_refused():
    with pytest.raises(StorageError, match="level"):
        MixingWeights.from_json(edited(), experts=("corpus", "cache", "level"))


@pytest.mark.parametrize(
    ("buckets", "gold"),
    [
        ([0, 1], [[0.5, 0.5]]),
        ([0], [[0.5]]),
        ([NUM_BUCKETS], [[0.5, 0.5]]),
        ([-1], [[0.5, 0.5]]),
        ([0], [[0.5, 1.5]]),
        ([0], [[0.5, float("nan")]]),
    ],
)
def test_fit_refuses_what_is_not_probabilities_by_bucket(buckets, gold):
    with pytest.raises(ValueError):
        MixingWeights.fit(np.array(buckets), np.array(gold))
