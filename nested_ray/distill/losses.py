"""The hybrid distillation loss: exact on the teacher's head, sampled and unbiased on its tail.

With teacher p, student q, head H, rest mass R = 1 - sum of p over H, and M ids t_j drawn from p
outside it, the forward KL is

    KL(p || q) = sum_H p (log p - log q)  +  sum_outside p (log p - log q)

and E[(R / M) * sum_j -log q(t_j)] = -sum_outside p log q: the part that depends on the student is
estimated without bias, so the expected gradient is that of the full KL, q - p for every logit.
`log p(t_j)` does not travel, so R log R stands in for the teacher's own constant: the *value* is the
KL plus R times the entropy of p inside its tail. It is never below the KL, and the difference does
not depend on the student.
Source: Sparse Logit Sampling, arXiv:2503.16870.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nested_ray.distill.log_probs import log_probs_at
from nested_ray.distill.targets import SoftTargets

# N tokens, V vocabulary, H head, M tail samples, J gathered ids per token


@dataclass(frozen=True)
class Teacher:
    """One peer's targets for this batch, and where they are listened to."""

    targets: SoftTargets
    upward_margin_nats: float | None = None
    """None: everywhere (a level with the wider context teaches). A number: only where the peer's
    gold log-probability exceeds the student's by more than it (a smaller level teaches)."""


@dataclass(frozen=True)
class Losses:
    """Means over the N tokens of a batch, in nats per token."""

    ce: Tensor
    kd: Tensor
    """Mean over the teachers; zero without any."""


def soft_target_kl(student_logits_NV: Tensor, targets: SoftTargets) -> Tensor:
    """Forward KL from teacher to student plus the teacher's tail entropy, shape (N,).

    Its expected gradient over the tail samples is the gradient of the full KL.
    """
    ids_NJ = torch.cat([targets.head_ids_NH, targets.tail_ids_NM], -1)
    return _hybrid_kl(log_probs_at(student_logits_NV, ids_NJ), targets)


def training_losses(
    student_logits_NV: Tensor, gold_ids_N: Tensor, teachers: Sequence[Teacher] = ()
) -> Losses:
    """Cross-entropy of the gold ids and the weighted KL to each teacher, from one pass over V.

    All ids are gathered together: each further gather would write another (N, V) gradient.
    """
    ids = [gold_ids_N[:, None]]
    for teacher in teachers:
        ids += [teacher.targets.head_ids_NH, teacher.targets.tail_ids_NM]
    logq_NJ = log_probs_at(student_logits_NV, torch.cat(ids, -1))
    gold_logq_N, *parts = logq_NJ.split([part.shape[-1] for part in ids], -1)
    gold_logq_N = gold_logq_N.squeeze(-1)

    kd = logq_NJ.new_zeros(())
    for position, teacher in enumerate(teachers):
        logq_head_and_tail = torch.cat(parts[2 * position : 2 * position + 2], -1)
        kl_N = _hybrid_kl(logq_head_and_tail, teacher.targets)
        kd = kd + (listening(teacher, gold_logq_N) * kl_N).mean() / len(teachers)
    return Losses(ce=-gold_logq_N.mean(), kd=kd)


def listening(teacher: Teacher, gold_logq_N: Tensor) -> Tensor:
    """Weight of each position: 1, or for an upward teacher 1 only where it is the surer one."""
    if teacher.upward_margin_nats is None:
        return torch.ones_like(gold_logq_N)
    surer_N = teacher.targets.gold_logp_N > gold_logq_N.detach() + teacher.upward_margin_nats
    return surer_N.to(gold_logq_N.dtype)


def _hybrid_kl(logq_NJ: Tensor, targets: SoftTargets) -> Tensor:
    """The estimator above from the student's log-probabilities at the head's and the tail's ids."""
    num_head, num_tail = targets.head_ids_NH.shape[-1], targets.tail_ids_NM.shape[-1]
    logq_head_NH, logq_tail_NM = logq_NJ.split([num_head, num_tail], -1)
    p_head_NH = targets.head_logp_NH.exp()
    head_N = (p_head_NH * (targets.head_logp_NH - logq_head_NH)).sum(-1)
    rest_N = targets.rest_mass_N
    tail_N = torch.xlogy(rest_N, rest_N) - rest_N * logq_tail_NM.mean(-1)
    return head_N + tail_N
