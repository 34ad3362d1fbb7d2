"""The hybrid distillation loss: exact on the teacher's head, sampled and unbiased on its tail.

With teacher p, student q, head H, rest mass R = 1 - sum of p over H, and M ids t_j drawn from p
outside it, the forward KL is

    KL(p || q) = sum_H p (log p - log q)  +  sum_outside p (log p - log q)

and E[(R / M) * sum_j -log q(t_j)] = -sum_outside p log q: the part that depends on the student is
estimated without bias, so the expected gradient is that of the full KL, q - p for every logit.
`log p(t_j)` does not travel, so R log R stands in for the teacher's own constant: the *value* is the
KL plus R times the entropy of p inside its tail. It is never below the KL, and the difference does
not depend on the student.

A teacher whose tail is unknown (M = 0) gives its mass alone: the tail is then one event, R (log R - log (1 - Q)),
with Q the student's mass on the head. That is a lower bound of the KL and pulls no id of the tail
before another.
Source: Sparse Logit Sampling, arXiv:2503.16870.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nested_ray.distill.log_probs import log_probs_at
from nested_ray.distill.targets import SoftTargets

# N tokens, P tokens a teacher speaks about, V vocabulary, H head, M tail samples, J gathered ids per token

SMALLEST_MASS = 1e-6
"""Of the student outside the head, whose logarithm is taken; fp32 cannot tell less from 1 - Q."""


@dataclass(frozen=True)
class Teacher:
    """One peer's targets for this batch, and how much better it must be to be listened to."""

    targets: SoftTargets
    margin_nats: float = 0.0
    """By which its mean gold log-probability must exceed the student's over the batch."""


@dataclass(frozen=True)
class Losses:
    """Means over the N tokens of a batch, in nats per token."""

    ce: Tensor
    kd: Tensor
    """Mean over the teachers that are listened to; zero without any."""
    num_heard: int = 0
    """Teachers that are listened to."""


def soft_target_kl(student_logits_NV: Tensor, targets: SoftTargets) -> Tensor:
    """Forward KL from teacher to student plus the teacher's tail entropy, shape (N,), of partial targets (P,).

    Its expected gradient over the tail samples is the gradient of the full KL.
    """
    ids_NJ = torch.cat([targets.head_ids_NH, targets.tail_ids_NM], -1)
    return _hybrid_kl(log_probs_at(targets.spoken_about(student_logits_NV), ids_NJ), targets)


def training_losses(
    student_logits_NV: Tensor, gold_ids_N: Tensor, teachers: Sequence[Teacher] = ()
) -> Losses:
    """Cross-entropy of the gold ids and the weighted KL to each teacher, from one pass over V.

    All ids are gathered together: each further gather would write another (N, V) gradient.
    """
    ids = [gold_ids_N[:, None]]
    for teacher in teachers:
        targets = teacher.targets
        ids += [
            targets.of_all(part, len(gold_ids_N))
            for part in (targets.head_ids_NH, targets.tail_ids_NM)
        ]
    logq_NJ = log_probs_at(student_logits_NV, torch.cat(ids, -1))
    gold_logq_N, *parts = logq_NJ.split([part.shape[-1] for part in ids], -1)
    gold_logq_N = gold_logq_N.squeeze(-1)

    kd, num_heard = logq_NJ.new_zeros(()), 0
    for position, teacher in enumerate(teachers):
        targets = teacher.targets
        if not knows_better(teacher, targets.spoken_about(gold_logq_N)):
            continue
        logq_head_and_tail = torch.cat(parts[2 * position : 2 * position + 2], -1)
        kl_P = _hybrid_kl(targets.spoken_about(logq_head_and_tail), targets)
        # Tokens that a teacher is silent about count as agreed: few words weigh little.
        kd = kd + kl_P.sum() / len(gold_ids_N)
        num_heard += 1
    return Losses(ce=-gold_logq_N.mean(), kd=kd / max(1, num_heard), num_heard=num_heard)


def knows_better(teacher: Teacher, gold_logq_P: Tensor) -> bool:
    """Whether a teacher was surer of the gold tokens than the student, over all that it speaks about.

    Token by token would be hindsight: of two opinions always the one that happened to be right, which
    teaches overconfidence. Over a batch a teacher that knows less, or nothing, is not heard at all.
    """
    if len(gold_logq_P) == 0:
        return False
    ahead = (teacher.targets.gold_logp_N - gold_logq_P.detach()).mean()
    return bool(ahead > teacher.margin_nats)


def _hybrid_kl(logq_NJ: Tensor, targets: SoftTargets) -> Tensor:
    """The estimator above from the student's log-probabilities at the head's and the tail's ids."""
    num_head, num_tail = targets.head_ids_NH.shape[-1], targets.tail_ids_NM.shape[-1]
    logq_head_NH, logq_tail_NM = logq_NJ.split([num_head, num_tail], -1)
    p_head_NH = targets.head_logp_NH.exp()
    head_N = (p_head_NH * (targets.head_logp_NH - logq_head_NH)).sum(-1)
    rest_N = targets.rest_mass_N
    if num_tail == 0:
        log_outside_N = _log_outside(logq_head_NH, p_head_NH)
    else:
        log_outside_N = logq_tail_NM.mean(-1)
    return head_N + torch.xlogy(rest_N, rest_N) - rest_N * log_outside_N


def _log_outside(logq_head_NH: Tensor, p_head_NH: Tensor) -> Tensor:
    """log (1 - Q). Places of the head that the teacher left empty have no probability and count as outside."""
    mass_N = torch.where(p_head_NH > 0, logq_head_NH.exp(), 0.0).sum(-1)
    return (1.0 - mass_N).clamp_min(SMALLEST_MASS).log()
