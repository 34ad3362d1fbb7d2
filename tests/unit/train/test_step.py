"""What one batch measured."""

import pytest
import torch

from nested_ray.train.step import accuracy_of


def test_accuracy_is_the_share_of_tokens_whose_likeliest_id_is_the_gold_one():
    logits_NV = torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 1.0], [0.0, 0.0, 5.0], [1.0, 4.0, 0.0]])
    assert accuracy_of(logits_NV, torch.tensor([1, 0, 0, 2])) == 0.5


def test_ids_that_tie_for_the_likeliest_share_the_token():
    logits_NV = torch.tensor([[3.0, 3.0, 1.0], [2.0, 2.0, 2.0], [9.0, 1.0, 1.0]]).bfloat16()
    assert accuracy_of(logits_NV, torch.tensor([0, 2, 2])) == pytest.approx((1 / 2 + 1 / 3 + 0) / 3)


def test_accuracy_without_ties_is_that_of_argmax():
    logits_NV = torch.randn(200, 50, generator=torch.Generator().manual_seed(0))
    gold_N = torch.where(torch.arange(200) % 3 == 0, logits_NV.argmax(-1), 7)
    expected = (logits_NV.argmax(-1) == gold_N).double().mean().item()
    assert accuracy_of(logits_NV, gold_N) == pytest.approx(expected)
