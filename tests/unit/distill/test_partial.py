"""Targets for some tokens of a batch, with nothing known of the tail but its mass."""

import numpy as np
import pytest
import torch

from nested_ray.distill.exchange import RecordHeader
from nested_ray.distill.losses import Teacher, soft_target_kl, training_losses
from nested_ray.distill.targets import LOWEST_LOGP, decode_targets, record_dtype
from nested_ray.errors import TargetsMismatch

NUM_TOKENS, VOCAB_SIZE = 6, 12
HEADS = {1: {3: 0.5, 7: 0.25}, 4: {2: 0.9}}
"""By position, what was told of it."""


def header(**changes):
    values = {
        "level": "senior",
        "batch_id": "senior/0/0",
        "batch_digest": "d",
        "weights_step": 1,
        "num_tokens": NUM_TOKENS,
        "tokenizer_hash": "t",
        "head_k": 2,
        "tail_samples": 0,
        "partial": True,
    }
    return RecordHeader(**{**values, **changes})


def payload(heads=HEADS):
    records = np.zeros(len(heads), dtype=record_dtype(2, 0, partial=True))
    records["head_logp"] = LOWEST_LOGP
    for record, (position, told) in zip(records, heads.items(), strict=True):
        for place, (token, mass) in enumerate(told.items()):
            record["head_ids"][place], record["head_logp"][place] = token, np.log(mass)
        record["position"], record["head_mass"] = position, sum(told.values())
    return records.tobytes()


def decoded(data, **changes):
    return decode_targets(
        header(**changes),
        data,
        batch_digest="d",
        num_tokens=NUM_TOKENS,
        tokenizer_hash="t",
        vocab_size=VOCAB_SIZE,
    )


@pytest.fixture
def logits():
    values = torch.randn(
        NUM_TOKENS, VOCAB_SIZE, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    return values.requires_grad_()


def coarse_kl(logits_V, told):
    """KL between the two distributions over what is told and everything else, written out."""
    q_V = logits_V.softmax(-1)
    rest, outside = 1 - sum(told.values()), 1 - sum(q_V[token] for token in told)
    parts = [mass * (np.log(mass) - q_V[token].log()) for token, mass in told.items()]
    return sum(parts) + rest * (np.log(rest) - outside.log())


def test_what_is_told_is_found_at_its_tokens():
    targets = decoded(payload())
    assert targets.positions_P.tolist() == [1, 4]
    torch.testing.assert_close(targets.rest_mass_N, torch.tensor([0.25, 0.1]), atol=1e-3, rtol=0)


def test_the_untold_is_one_event_and_empty_places_are_none(logits):
    found_P = soft_target_kl(logits, decoded(payload()))
    expected_P = torch.stack([coarse_kl(logits[at], told) for at, told in HEADS.items()])
    torch.testing.assert_close(found_P, expected_P, atol=1e-3, rtol=1e-3)


def test_only_the_tokens_spoken_about_are_taught(logits):
    gold_N = torch.zeros(NUM_TOKENS, dtype=torch.long)
    losses = training_losses(logits, gold_N, [Teacher(decoded(payload()), -100.0)])
    (found_NV,) = torch.autograd.grad(losses.kd, logits)
    total = sum(coarse_kl(logits[at], told) for at, told in HEADS.items()) / NUM_TOKENS
    (expected_NV,) = torch.autograd.grad(total, logits)
    assert losses.num_heard == 1
    torch.testing.assert_close(found_NV, expected_NV, atol=1e-3, rtol=1e-2)
    assert not found_NV[[0, 2, 3, 5]].any()


def test_a_teacher_that_says_nothing_is_not_heard(logits):
    gold_N = torch.zeros(NUM_TOKENS, dtype=torch.long)
    losses = training_losses(logits, gold_N, [Teacher(decoded(b""), -100.0)])
    assert (losses.num_heard, losses.kd.item()) == (0, 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (payload()[:-1], "bytes expected"),
        (payload({4: HEADS[4], 1: HEADS[1]}), "out of order"),
        (payload({1: HEADS[1], NUM_TOKENS: HEADS[4]}), "does not have"),
        (payload({1: {VOCAB_SIZE: 0.5}}), "damaged"),
        (payload({1: {3: 0.9, 4: 0.9}})[:-2] + b"\0\0", "damaged"),
    ],
)
def test_damaged_targets_are_refused(data, message):
    with pytest.raises(TargetsMismatch, match=message):
        decoded(data)
