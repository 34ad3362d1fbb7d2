"""Head and tail found by groups, against the whole vocabulary sorted and summed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.distill.selection import GROUP_SIZE, grouped_topk, in_groups, sample_tail, select


def random_logits(num_tokens, vocab_size, scale=3.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(num_tokens, vocab_size, generator=generator)


def select_all(logits_NV, head_k=14, tail_samples=16, always=(1, 40), seed=1):
    generator = torch.Generator().manual_seed(seed)
    return select(
        logits_NV,
        torch.arange(len(logits_NV)) % logits_NV.shape[-1],
        torch.tensor(always, dtype=torch.long),
        torch.rand(len(logits_NV), generator=generator),
        head_k=head_k,
        tail_samples=tail_samples,
    )


@settings(max_examples=25, deadline=None)
@given(
    vocab_size=st.sampled_from([100, 2048, 2050, 4096, 5003]),
    head_k=st.integers(1, 14),
    scale=st.sampled_from([0.1, 3.0, 100.0]),
    seed=st.integers(0, 1000),
)
def test_head_and_log_probabilities_are_those_of_the_whole_vocabulary(
    vocab_size, head_k, scale, seed
):
    logits_NV = random_logits(6, vocab_size, scale, seed)
    before_NV = logits_NV.clone()
    selection = select_all(logits_NV, head_k)
    logp_NV = logits_NV.double().log_softmax(-1)
    others_NV = logp_NV.index_fill(-1, torch.tensor([1, 40]), float("-inf"))
    torch.testing.assert_close(
        selection.head_logp_NK.double(), others_NV.topk(head_k, -1).values, rtol=1e-5, atol=1e-4
    )
    torch.testing.assert_close(
        logp_NV.gather(-1, selection.head_ids_NK), selection.head_logp_NK.double(),
        rtol=1e-5, atol=1e-4,
    )  # fmt: skip
    torch.testing.assert_close(
        selection.always_logp_NA.double(), logp_NV[:, [1, 40]], rtol=1e-5, atol=1e-4
    )
    torch.testing.assert_close(
        selection.gold_logp_N.double(), logp_NV[range(6), range(6)], rtol=1e-5, atol=1e-4
    )
    assert torch.equal(logits_NV, before_NV)


@settings(max_examples=25, deadline=None)
@given(
    vocab_size=st.sampled_from([100, 2050, 4096]),
    scale=st.sampled_from([0.0, 1.0, 30.0, 1000.0]),
    seed=st.integers(0, 1000),
)
def test_no_tail_sample_is_told_already_while_the_tail_has_mass(vocab_size, scale, seed):
    selection = select_all(random_logits(6, vocab_size, scale, seed), head_k=8)
    assert not (selection.tail_ids_NM[:, :, None] == selection.head_ids_NK[:, None, :]).any()
    assert not torch.isin(selection.tail_ids_NM, torch.tensor([1, 40])).any()
    assert (0 <= selection.tail_ids_NM).all()
    assert (selection.tail_ids_NM < vocab_size).all()


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_tail_ids_come_as_often_as_the_teacher_says(scale):
    num_draws, head_k, always = 4_000, 4, torch.tensor([1, 40])
    logits_V = random_logits(1, 600, scale)[0]
    selection = select_all(logits_V.expand(num_draws, -1), head_k, tail_samples=8)
    p_V = logits_V.double().softmax(-1)
    p_V[always] = 0
    p_V[selection.head_ids_NK[0]] = 0
    p_V /= p_V.sum()
    counts_V = selection.tail_ids_NM.flatten().bincount(minlength=600).double()
    # Each of the 8 x 4,000 points falls on an id with probability p: five standard deviations.
    bound_V = 5 * (p_V * num_draws * 8).sqrt() + 1
    assert ((counts_V - p_V * num_draws * 8).abs() <= bound_V).all()


def test_groups_hold_every_id_once_and_are_used_where_they_pay():
    values_NCG = in_groups(torch.arange(2050.0)[None], head_k=14)
    assert values_NCG.shape == (1, GROUP_SIZE, 65)
    top_NK, ids_NK = grouped_topk(values_NCG, 3)
    assert top_NK.tolist() == ids_NK.tolist() == [[2049, 2048, 2047]]
    assert in_groups(torch.zeros(1, 200), head_k=14).shape == (1, 1, 200)


def test_a_tail_too_small_for_fp32_is_sampled_all_the_same():
    logits_NV = torch.full((2, 4096), -200.0)
    logits_NV[:, 5] = 200.0
    logits_NV[:, 6:10] = -150.0  # the only ids with mass beside one that has all of it
    selection = select_all(logits_NV, head_k=1, tail_samples=4)
    assert selection.tail_ids_NM.tolist() == [[6, 7, 8, 9]] * 2
    everything = sample_tail(logits_NV, torch.tensor([[5], [5]]), torch.tensor([0.5, 0.5]), 4)
    assert everything.tolist() == [[6, 7, 8, 9]] * 2
