"""The 100-byte record: layout, round trip, refusal of what does not belong to the batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.config.train import DistillConfig
from nested_ray.distill.exchange import RecordHeader
from nested_ray.distill.losses import soft_target_kl
from nested_ray.distill.selection import sample_tail
from nested_ray.distill.targets import (
    decode_targets,
    encode_targets,
    record_dtype,
)
from nested_ray.errors import TargetsMismatch


def header(**changes):
    values = {
        "level": "architecture",
        "batch_id": "architecture/0/3",
        "batch_digest": "d" * 16,
        "weights_step": 7,
        "num_tokens": 5,
        "tokenizer_hash": "t" * 16,
        "head_k": 3,
        "tail_samples": 4,
    }
    return RecordHeader(**{**values, **changes})


def decode(payload, expected=None, **changes):
    expected = {
        "batch_digest": "d" * 16,
        "num_tokens": 5,
        "tokenizer_hash": "t" * 16,
        "vocab_size": 50,
        **(expected or {}),
    }
    return decode_targets(header(**changes), payload, **expected)


def random_logits(num_tokens=5, vocab_size=50, seed=0):
    return 3 * torch.randn(num_tokens, vocab_size, generator=torch.Generator().manual_seed(seed))


def encode(logits_NV, head_k=3, tail_samples=4, always_ids=()):
    return encode_targets(
        logits_NV,
        torch.arange(len(logits_NV)),
        head_k=head_k,
        tail_samples=tail_samples,
        always_ids=always_ids,
        generator=torch.Generator().manual_seed(1),
    )


def test_the_default_record_is_a_hundred_bytes_without_padding():
    default = DistillConfig()
    assert record_dtype(default.head_k, default.tail_samples, 4).itemsize == 100
    assert len(encode(random_logits(7), 14, 16, always_ids=(0, 7, 8, 9))) == 700


def test_fields_lie_at_their_documented_offsets():
    logits_NV = torch.log(torch.tensor([[0.5, 0.25, 0.125, 0.125]]))
    payload = encode(logits_NV, head_k=2, tail_samples=1)
    assert np.frombuffer(payload[0:4], "<u2").tolist() == [0, 1]
    assert np.frombuffer(payload[4:8], "<f2").tolist() == pytest.approx(
        [np.log(0.5), np.log(0.25)], abs=1e-3
    )
    assert np.frombuffer(payload[8:10], "<u2")[0] in (2, 3)
    gold_logp, head_mass = np.frombuffer(payload[10:14], "<f2")
    assert gold_logp == pytest.approx(np.log(0.5), abs=1e-3)
    assert head_mass == 0.75


def test_decoding_gives_back_head_and_gold_within_half_precision():
    logits_NV = random_logits()
    targets = decode(encode(logits_NV))
    logp_NV = logits_NV.double().log_softmax(-1)
    expected_logp_NK, expected_ids_NK = logp_NV.topk(3, -1)
    assert torch.equal(targets.head_ids_NH, expected_ids_NK)
    torch.testing.assert_close(
        targets.head_logp_NH.double(), expected_logp_NK, rtol=1e-3, atol=1e-3
    )
    torch.testing.assert_close(
        targets.gold_logp_N.double(), logp_NV[range(5), range(5)], rtol=1e-3, atol=1e-3
    )


def test_some_ids_are_always_in_the_head_and_nowhere_else():
    logits_NV = random_logits()
    always = (int(logits_NV[0].argmax()), int(logits_NV[0].argmin()))
    targets = decode(encode(logits_NV, always_ids=always), always_ids=always)
    logp_NV = logits_NV.double().log_softmax(-1)
    head_NH = targets.head_ids_NH
    assert head_NH.shape == (5, 5)
    assert head_NH[:, 3:].tolist() == [list(always)] * 5
    torch.testing.assert_close(
        targets.head_logp_NH.double(), logp_NV.gather(-1, head_NH), rtol=1e-3, atol=1e-3
    )
    others_NV = logp_NV.index_fill(-1, torch.tensor(always), float("-inf"))
    assert torch.equal(head_NH[:, :3], others_NV.topk(3, -1).indices)
    assert not torch.isin(targets.tail_ids_NM, torch.tensor(always)).any()


def test_an_id_that_is_impossible_everywhere_still_gives_a_finite_loss():
    logits_NV = random_logits()
    logits_NV[:, 7] = float("-inf")
    targets = decode(encode(logits_NV, always_ids=(7,)), always_ids=(7,))
    assert torch.isfinite(soft_target_kl(random_logits(seed=1), targets)).all()


def test_targets_are_the_same_when_the_vocabulary_is_padded():
    logits_NV = random_logits()
    padded_NV = torch.cat([logits_NV, torch.full((5, 14), float("-inf"))], -1)
    assert encode(padded_NV) == encode(logits_NV)


def test_rows_that_span_several_blocks_are_encoded_alike():
    logits_NV = random_logits(num_tokens=40, vocab_size=50_000)
    whole = encode(logits_NV, head_k=16, tail_samples=16)
    head_ids_NK = np.frombuffer(whole, record_dtype(16, 16))["head_ids"]
    assert np.array_equal(head_ids_NK, logits_NV.topk(16, -1).indices.numpy())


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    scale=st.sampled_from([0.0, 1.0, 30.0, 1000.0]),
    head_k=st.integers(1, 8),
    tail_samples=st.integers(1, 8),
)
def test_no_tail_id_is_in_the_head_while_the_tail_has_mass(seed, scale, head_k, tail_samples):
    generator = torch.Generator().manual_seed(seed)
    logp_NV = (scale * torch.randn(6, 20, generator=generator)).log_softmax(-1)
    head_ids_NK = logp_NV.topk(head_k, -1).indices
    tail_ids_NM = sample_tail(
        logp_NV, head_ids_NK, torch.rand(6, generator=generator), tail_samples
    )
    assert tail_ids_NM.shape == (6, tail_samples)
    assert not (tail_ids_NM[:, :, None] == head_ids_NK[:, None, :]).any()


def test_tail_ids_come_as_often_as_the_teacher_says():
    logp_V = torch.log(torch.tensor([0.4, 0.3, 0.15, 0.1, 0.05]))
    num_draws = 20_000
    logp_NV = logp_V.expand(num_draws, -1)
    head_ids_NK = torch.tensor([[0, 1]]).expand(num_draws, -1)
    uniform_N = torch.rand(num_draws, generator=torch.Generator().manual_seed(0))
    counts_V = sample_tail(logp_NV, head_ids_NK, uniform_N, 3).flatten().bincount(minlength=5)
    shares_V = counts_V / (3 * num_draws)
    torch.testing.assert_close(
        shares_V, torch.tensor([0, 0, 0.5, 1 / 3, 1 / 6]), atol=0.005, rtol=0
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"batch_digest": "e" * 16}, None),
        ({"tokenizer_hash": "u" * 16}, None),
        ({"num_tokens": 6}, None),
        ({"head_k": 4}, None),
        ({}, {"vocab_size": 10}),
    ],
)
def test_a_record_of_another_batch_tokenizer_or_shape_is_refused(changes, expected):
    with pytest.raises(TargetsMismatch, match="architecture/0/3"):
        decode(encode(random_logits()), expected, **changes)


def test_damaged_bytes_are_refused():
    payload = bytearray(encode(random_logits()))
    payload[6:12] = np.array([-20, -20, -20], "<f2").tobytes()  # the head of the first token
    with pytest.raises(TargetsMismatch, match="damaged"):
        decode(bytes(payload))
    with pytest.raises(TargetsMismatch, match="bytes"):
        decode(bytes(payload[:-1]))


def test_no_tokens_make_no_bytes():
    assert encode(torch.empty(0, 50)) == b""
    assert decode(b"", {"num_tokens": 0}, num_tokens=0).head_ids_NH.shape == (0, 3)
