"""Learning rates that need not know where the run ends, one policy per level.

Every policy keeps two sets of weights. Gradients are taken at `y` (train mode); `x`, a running average, is the
model that is evaluated, published and saved (eval mode). Forgetting the switch gives no error, only a worse
model, so saving goes through `averaged_weights`. All state, the rate included, is in `state_dict()`.
Source: The Road Less Scheduled, arXiv:2405.15682.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prodigyplus.prodigy_plus_schedulefree import ProdigyPlusScheduleFree
from schedulefree import AdamWScheduleFree
from torch import Tensor, nn

from nested_ray.config.levels import AdaptiveLR, LearningRate, ProdigyLR, ScheduleFreeLR
from nested_ray.train.adaptive import AdaptiveScheduleFree

BETAS = (0.95, 0.95)
"""A short second-moment memory: runs of a few hundred steps learn faster with it than with 0.999."""

PRODIGY_BETAS = (0.95, 0.99)
"""What the package advises for Schedule-Free; its estimate of the rate needs the longer memory."""

TUPLES = {"betas", "optimiser_version"}
"""Settings of a parameter group that are tuples."""

LevelOptimizer = AdamWScheduleFree | ProdigyPlusScheduleFree


def build_optimizer(config: LearningRate, model: nn.Module) -> LevelOptimizer:
    """The optimiser of one level, in train mode; vectors (norms) are not decayed."""
    groups = parameter_groups(model, config.weight_decay)
    optimizer = _build(config, groups)
    optimizer.train()
    return optimizer


def _build(config: LearningRate, groups: list[dict[str, Any]]) -> LevelOptimizer:
    match config:
        case ScheduleFreeLR():
            return AdamWScheduleFree(
                groups, lr=config.peak, betas=BETAS, warmup_steps=config.warmup_steps
            )
        case AdaptiveLR():
            return AdaptiveScheduleFree(
                groups,
                lr=config.peak,
                betas=BETAS,
                warmup_steps=config.warmup_steps,
                max_factor=config.max_factor,
            )
        case ProdigyLR():
            # One distance for the whole level: a norm's few weights are too few to estimate one from.
            return ProdigyPlusScheduleFree(
                groups,
                lr=1.0,
                betas=PRODIGY_BETAS,
                d0=config.start,
                d_coef=config.scale,
                split_groups=False,
                factored=False,
            )


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices, and vectors without decay; what is frozen is in neither."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


@contextmanager
def averaged_weights(optimizer: LevelOptimizer) -> Iterator[None]:
    """The model holds its averaged weights inside the block, training weights after it."""
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()


def restore_optimizer(optimizer: LevelOptimizer, state: dict[str, Any]) -> None:
    """Go on from a `state_dict()` that went through JSON; in train mode."""
    optimizer.load_state_dict(state)
    _keep_formats(optimizer, state)
    for group in optimizer.param_groups:
        # JSON made lists of them, and Prodigy's package prints a warning when its version is no tuple.
        for name in TUPLES & group.keys():
            group[name] = tuple(group[name])
    optimizer.train()


def _keep_formats(optimizer: LevelOptimizer, state: dict[str, Any]) -> None:
    """`load_state_dict` gives state the format of its weight; Prodigy sums in bf16 and would go on otherwise."""
    for saved, group in zip(state["param_groups"], optimizer.param_groups, strict=True):
        for number, parameter in zip(saved["params"], group["params"], strict=True):
            loaded = optimizer.state[parameter]
            for name, value in state["state"].get(number, {}).items():
                if isinstance(value, Tensor):
                    loaded[name] = loaded[name].to(value.dtype)


def current_lr(optimizer: LevelOptimizer) -> float:
    """The rate of the last update, warm-up included; 0 before the first."""
    group = optimizer.param_groups[0]
    if isinstance(optimizer, ProdigyPlusScheduleFree):
        return float(group["d"] * group["lr"]) if group["k"] > 1 else 0.0
    return float(group.get("scheduled_lr", 0.0))
