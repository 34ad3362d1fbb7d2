"""One training step: forward, cross-entropy and distillation, backward, clip, update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nested_ray.distill.losses import Teacher, training_losses

# B batch, L input positions, W window tokens, N valid window tokens, V vocabulary


@dataclass(frozen=True)
class StepInput:
    """A batch on the device of the model."""

    input_ids_BL: Tensor
    target_index_BW: Tensor
    valid_BW: Tensor
    gold_ids_N: Tensor


@dataclass(frozen=True)
class StepResult:
    """What one step measured; losses are means over its tokens, in nats."""

    ce: float
    kd: float | None
    """None when no teacher had anything to say."""
    grad_norm: float
    num_tokens: int
    logits_NV: Tensor
    """Detached, from before the update: the level's own soft targets are made of them."""


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: StepInput,
    teachers: Sequence[Teacher],
    *,
    kd_factor: float,
    max_grad_norm: float,
    autocast: Callable[[], AbstractContextManager[object]],
) -> StepResult:
    """Train on one batch with CE + kd_factor * KD; the optimiser must be in train mode."""
    with autocast():
        logits_NV = model(batch.input_ids_BL, batch.target_index_BW, batch.valid_BW)
    losses = training_losses(logits_NV, batch.gold_ids_N, teachers)
    loss = losses.ce + kd_factor * losses.kd if teachers else losses.ce
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    grad_norm = nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    return StepResult(
        ce=losses.ce.item(),
        kd=losses.kd.item() if teachers else None,
        grad_norm=grad_norm.item(),
        num_tokens=len(batch.gold_ids_N),
        logits_NV=logits_NV.detach(),
    )
