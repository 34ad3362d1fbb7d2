"""The hybrid loss against hand-computed values, full distillation and finite differences."""

import math

import pytest
import torch
from torch.nn import functional as F

from nested_ray.distill.log_probs import log_probs_at
from nested_ray.distill.losses import Teacher, soft_target_kl, training_losses
from nested_ray.distill.selection import sample_tail
from nested_ray.distill.targets import SoftTargets


def targets_of(logits_NV, head_k, tail_samples, seed=0, gold_ids_N=None):
    """Exact targets in the logits' own precision, without the wire's rounding."""
    logp_NV = logits_NV.log_softmax(-1)
    head_logp_NK, head_ids_NK = logp_NV.topk(head_k, -1)
    uniform_N = torch.rand(len(logp_NV), generator=torch.Generator().manual_seed(seed))
    if gold_ids_N is None:
        gold_ids_N = torch.zeros(len(logits_NV), dtype=torch.long)
    return SoftTargets(
        head_ids_NK,
        head_logp_NK,
        sample_tail(logp_NV, head_ids_NK, uniform_N, tail_samples),
        logp_NV.gather(-1, gold_ids_N[:, None]).squeeze(-1),
    )


def listened_to(targets):
    return Teacher(targets, margin_nats=-math.inf)


def random_logits(num_tokens, vocab_size, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(num_tokens, vocab_size, generator=generator, dtype=dtype)


def test_kl_of_a_tiny_case_equals_the_hand_computed_one():
    # p = (1/2, 1/4, 1/8, 1/8), head {0, 1}, tail samples (2, 3, 3, 3); q = (1/4, 1/4, 1/4, 1/4)
    targets = SoftTargets(
        torch.tensor([[0, 1]]),
        torch.log(torch.tensor([[0.5, 0.25]], dtype=torch.float64)),
        torch.tensor([[2, 3, 3, 3]]),
        torch.zeros(1),
    )
    by_hand = 0.5 * math.log(0.5 / 0.25) + 0 + 0.25 * (math.log(0.25) - math.log(0.25))
    kl_N = soft_target_kl(torch.zeros(1, 4, dtype=torch.float64), targets)
    assert kl_N.item() == pytest.approx(by_hand, abs=1e-12)


def test_gradient_of_a_tiny_case_equals_the_hand_computed_one():
    # q - p on the head; q - (1 - P_K) * count / M outside it.
    targets = SoftTargets(
        torch.tensor([[0, 1]]),
        torch.log(torch.tensor([[0.5, 0.25]], dtype=torch.float64)),
        torch.tensor([[2, 3, 3, 3]]),
        torch.zeros(1),
    )
    logits_NV = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
    soft_target_kl(logits_NV, targets).sum().backward()
    by_hand = [0.25 - 0.5, 0.25 - 0.25, 0.25 - 0.25 * 1 / 4, 0.25 - 0.25 * 3 / 4]
    assert logits_NV.grad[0].tolist() == pytest.approx(by_hand, abs=1e-12)


def test_expected_gradient_over_many_draws_is_that_of_the_full_kl():
    num_draws = 4_000
    teacher_1V = random_logits(1, 24, seed=1)
    student_1V = random_logits(1, 24, seed=2)

    full_1V = student_1V.clone().requires_grad_()
    F.kl_div(
        full_1V.log_softmax(-1), teacher_1V.log_softmax(-1), log_target=True, reduction="sum"
    ).backward()

    drawn_NV = student_1V.expand(num_draws, -1).clone().requires_grad_()
    targets = targets_of(teacher_1V.expand(num_draws, -1), head_k=4, tail_samples=4)
    soft_target_kl(drawn_NV, targets).sum().backward()
    error_NV = drawn_NV.grad - full_1V.grad
    standard_error_V = error_NV.std(0) / math.sqrt(num_draws)
    assert (error_NV.mean(0).abs() <= 4 * standard_error_V + 1e-9).all()
    assert error_NV.abs().max() > 0.01  # single draws do differ: the test can fail


def test_value_is_the_kl_plus_the_tail_entropy():
    teacher_1V, student_1V = random_logits(1, 24, seed=1), random_logits(1, 24, seed=2)
    num_draws = 4_000
    targets = targets_of(teacher_1V.expand(num_draws, -1), head_k=4, tail_samples=4)
    values_N = soft_target_kl(student_1V.expand(num_draws, -1), targets)
    p_V = teacher_1V.softmax(-1)[0]
    kl = (p_V * (p_V.log() - student_1V.log_softmax(-1)[0])).sum()
    tail_V = p_V.sort(descending=True).values[4:]
    rest = tail_V.sum()
    tail_entropy = -(tail_V * (tail_V / rest).log()).sum()
    assert values_N.mean().item() == pytest.approx((kl + tail_entropy).item(), abs=0.01)


def test_a_head_that_holds_everything_gives_the_exact_kl():
    teacher_NV, student_NV = random_logits(3, 6, seed=1), random_logits(3, 6, seed=2)
    kl_N = soft_target_kl(student_NV, targets_of(teacher_NV, head_k=6, tail_samples=2))
    expected_N = F.kl_div(
        student_NV.log_softmax(-1), teacher_NV.log_softmax(-1), log_target=True, reduction="none"
    ).sum(-1)
    torch.testing.assert_close(kl_N, expected_N, atol=1e-9, rtol=0)


def test_gradients_agree_with_finite_differences():
    gold_ids_N = torch.tensor([1, 4, 0])
    targets = targets_of(random_logits(3, 9, seed=3), head_k=2, tail_samples=3)

    def loss(logits_NV):
        losses = training_losses(logits_NV, gold_ids_N, [listened_to(targets)])
        return losses.ce + 0.7 * losses.kd

    assert torch.autograd.gradcheck(loss, random_logits(3, 9, seed=4).requires_grad_())


def test_padding_the_vocabulary_changes_neither_loss_nor_gradient():
    gold_ids_N = torch.tensor([1, 4, 0])
    targets = targets_of(random_logits(3, 9, seed=3), head_k=2, tail_samples=3)

    def loss_and_gradient(padding):
        logits_NV = random_logits(3, 9, seed=4)
        padded_NV = F.pad(logits_NV, (0, padding), value=float("-inf")).requires_grad_()
        losses = training_losses(padded_NV, gold_ids_N, [listened_to(targets)])
        (losses.ce + losses.kd).backward()
        return losses.ce, losses.kd, padded_NV.grad[:, :9]

    for plain, padded in zip(loss_and_gradient(0), loss_and_gradient(7), strict=True):
        torch.testing.assert_close(padded, plain, atol=1e-12, rtol=0)


def test_cross_entropy_is_torchs_own():
    logits_NV, gold_ids_N = random_logits(50, 70_000 // 50, seed=1), torch.arange(50)
    losses = training_losses(logits_NV, gold_ids_N)
    torch.testing.assert_close(losses.ce, F.cross_entropy(logits_NV, gold_ids_N))
    assert losses.kd == 0


def test_log_probs_over_many_blocks_equal_log_softmax_and_its_gradient():
    logits_NV = random_logits(70, 20_000, seed=1).requires_grad_()
    ids_NJ = torch.randint(20_000, (70, 5), generator=torch.Generator().manual_seed(0))
    weights_NJ = random_logits(70, 5, seed=2)
    mine = log_probs_at(logits_NV, ids_NJ)
    (mine_gradient,) = torch.autograd.grad((mine * weights_NJ).sum(), logits_NV)
    theirs = logits_NV.log_softmax(-1).gather(-1, ids_NJ)
    (their_gradient,) = torch.autograd.grad((theirs * weights_NJ).sum(), logits_NV)
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(mine_gradient, their_gradient)


def test_bf16_logits_are_reduced_in_fp32():
    logits_NV = random_logits(8, 500, seed=1).bfloat16()
    ids_NJ = torch.arange(8)[:, None]
    expected = logits_NV.double().log_softmax(-1).gather(-1, ids_NJ).float()
    found = log_probs_at(logits_NV, ids_NJ)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_teacher_is_heard_on_a_whole_batch_or_not_at_all():
    student_NV = torch.log(torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]))
    teacher_NV = torch.log(torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.4, 0.6]]))
    gold_ids_N = torch.zeros(3, dtype=torch.long)
    targets = targets_of(teacher_NV, head_k=1, tail_samples=1, gold_ids_N=gold_ids_N)
    everywhere = soft_target_kl(student_NV, targets).mean().item()
    # ln 0.9/0.5, ln 0.6/0.5 and ln 0.4/0.5 are 0.588, 0.182 and -0.223: 0.182 ahead on average
    for margin, expected in ((0.0, everywhere), (0.18, everywhere), (0.19, 0.0)):
        losses = training_losses(student_NV, gold_ids_N, [Teacher(targets, margin)])
        assert losses.kd.item() == pytest.approx(expected)
        assert losses.num_heard == (expected > 0)


def test_a_teacher_that_knows_less_changes_neither_loss_nor_the_weight_of_another():
    student_NV, gold_ids_N = random_logits(4, 12, seed=1), torch.tensor([0, 3, 5, 7])
    knows_NV = student_NV + 4 * F.one_hot(gold_ids_N, 12)
    good, random = (
        Teacher(targets_of(logits_NV, 3, 3, gold_ids_N=gold_ids_N))
        for logits_NV in (knows_NV, student_NV - 4 * F.one_hot(gold_ids_N, 12))
    )
    alone = training_losses(student_NV, gold_ids_N, [good])
    both = training_losses(student_NV, gold_ids_N, [good, random])
    assert alone.kd > 0
    assert (both.kd, both.num_heard) == (alone.kd, 1)
    assert training_losses(student_NV, gold_ids_N, [random]).kd == 0


def test_several_teachers_are_averaged():
    student_NV, gold_ids_N = random_logits(4, 12, seed=1), torch.zeros(4, dtype=torch.long)
    teachers = [listened_to(targets_of(random_logits(4, 12, seed=s), 3, 3)) for s in (2, 3)]
    single = [training_losses(student_NV, gold_ids_N, [t]).kd.item() for t in teachers]
    both = training_losses(student_NV, gold_ids_N, teachers).kd.item()
    assert both == pytest.approx(sum(single) / 2)
