"""Schedule-Free AdamW: a learning rate that need not know where the run ends.

The optimiser keeps two sets of weights. Gradients are taken at `y` (train mode); `x`, a running
average, is the model that is evaluated, published and saved (eval mode). Forgetting the switch gives
no error, only a worse model, so saving goes through `averaged_weights`.
Source: The Road Less Scheduled, arXiv:2405.15682.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from schedulefree import AdamWScheduleFree
from torch import nn

from nested_ray.config.levels import ScheduleFreeLR

BETAS = (0.95, 0.95)
"""A short second-moment memory: runs of a few hundred steps learn faster with it than with 0.999."""


def build_optimizer(config: ScheduleFreeLR, model: nn.Module) -> AdamWScheduleFree:
    """The optimiser of one level, in train mode; vectors (norms) are not decayed."""
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizer = AdamWScheduleFree(
        [group for group in groups if group["params"]],
        lr=config.peak,
        betas=BETAS,
        warmup_steps=config.warmup_steps,
    )
    optimizer.train()
    return optimizer


@contextmanager
def averaged_weights(optimizer: AdamWScheduleFree) -> Iterator[None]:
    """The model holds its averaged weights inside the block, training weights after it."""
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()


def current_lr(optimizer: AdamWScheduleFree) -> float:
    """The rate of the last update, warm-up included; 0 before the first."""
    group = optimizer.param_groups[0]
    return float(group.get("scheduled_lr", 0.0))
