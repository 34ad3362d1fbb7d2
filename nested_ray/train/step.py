"""Training arithmetic: what one batch adds to the gradients, and the update they make together."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor, nn

from nested_ray.distill.losses import Teacher, training_losses
from nested_ray.train.parallel import clip_gradients

logger = logging.getLogger(__name__)

# B batch, L input positions, W window tokens, N valid window tokens, V vocabulary


@dataclass(frozen=True)
class StepInput:
    """A batch on the device of the model."""

    input_ids_BL: Tensor
    target_index_BW: Tensor
    valid_BW: Tensor
    gold_ids_N: Tensor


@dataclass(frozen=True)
class BatchResult:
    """What one batch measured; losses are means over its tokens, in nats."""

    ce: float
    kd: float | None
    """None when no teacher knew better."""
    accuracy: float
    """Share of the tokens whose likeliest id is the gold one."""
    num_tokens: int
    num_heard: int = 0
    """Teachers that it was learned from."""


@dataclass(frozen=True)
class StepResult:
    """What one update's batches measured together: means over the batches, in nats per token."""

    ce: float
    kd: float | None
    """Over the batches that a teacher spoke about; None when there were none."""
    accuracy: float
    grad_norm: float
    num_tokens: int

    @classmethod
    def of(cls, batches: Sequence[BatchResult], grad_norm: float) -> StepResult:
        taught = [batch.kd for batch in batches if batch.kd is not None]
        return cls(
            ce=fmean(batch.ce for batch in batches),
            kd=fmean(taught) if taught else None,
            accuracy=fmean(batch.accuracy for batch in batches),
            grad_norm=grad_norm,
            num_tokens=sum(batch.num_tokens for batch in batches),
        )


def learn_batch(
    model: nn.Module,
    batch: StepInput,
    teachers: Sequence[Teacher],
    *,
    kd_factor: float,
    share: float,
    autocast: Callable[[], AbstractContextManager[object]],
) -> tuple[BatchResult, Tensor]:
    """Add the gradients of share * (CE + kd_factor * KD) of one batch to what is there.

    Returns what it measured and the detached logits_NV, of which the level's own soft targets are made.
    """
    with autocast():
        logits_NV = model(batch.input_ids_BL, batch.target_index_BW, batch.valid_BW)
    losses = training_losses(logits_NV, batch.gold_ids_N, teachers)
    loss = losses.ce + kd_factor * losses.kd if losses.num_heard else losses.ce
    (share * loss).backward()
    result = BatchResult(
        ce=losses.ce.item(),
        kd=losses.kd.item() if losses.num_heard else None,
        accuracy=accuracy_of(logits_NV.detach(), batch.gold_ids_N),
        num_tokens=len(batch.gold_ids_N),
        num_heard=losses.num_heard,
    )
    return result, logits_NV.detach()


def accuracy_of(logits_NV: Tensor, gold_ids_N: Tensor) -> float:
    """Share of the tokens whose likeliest id is the gold one; ids that tie for it count a part each.

    Not by argmax, which took a tenth of a small level's step in bf16; amax takes a hundredth.
    """
    largest_N1 = logits_NV.amax(-1, keepdim=True)
    is_right_N = (logits_NV.gather(-1, gold_ids_N[:, None]) == largest_N1).squeeze(-1)
    ties_R = (logits_NV[is_right_N] == largest_N1[is_right_N]).sum(-1)
    return ties_R.double().reciprocal().sum().item() / len(gold_ids_N)


def update(model: nn.Module, optimizer: torch.optim.Optimizer, max_grad_norm: float) -> float:
    """Clip, take the optimiser's step and clear the gradients; returns their norm before clipping.

    A gradient that is not finite is left out: it would turn every weight, and the next checkpoint, into NaN. The norm
    is that of all workers' gradients, so all of them decide alike. The optimiser must be in train mode.
    """
    grad_norm = clip_gradients(model, max_grad_norm)
    if math.isfinite(grad_norm):
        optimizer.step()
    else:
        logger.warning("an update is left out: the norm of its gradient is %s", grad_norm)
    optimizer.zero_grad(set_to_none=True)
    return grad_norm
