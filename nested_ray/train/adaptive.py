"""Schedule-Free AdamW whose peak follows the slope of the level's own loss.

Schedule-Free takes gradients at y, on the way from the averaged weights x to the newest ones, z. The loss's slope
along that way says whether the steps are of the right length: z is where they lead, x where they have led on
average. Still falling towards z: longer steps would have got there sooner. Rising: z has overshot. Both gradient
and place are known anyway, so the slope costs two sums over the weights and no memory; z was chosen before
the batch was seen, so noise has no say in its sign. Gradients are the mean over a level's workers, so all of them
decide alike.

A peak far too large spoils what shrinking it cannot mend, so the warm-up is a range test as well: where the slope turns
in its first half, the level goes back to the weights it came with and warms up anew, to the peak with which the whole
warm-up makes the way that paid. Those few updates are the price, and the fewer the larger the peak was.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from schedulefree import AdamWScheduleFree
from torch import Tensor

from nested_ray.train.parallel import own_part, sum_of_parts

MEMORY_STEPS = 5
"""Updates whose slopes are averaged: one batch's is mostly noise."""
STEEP = 0.05
"""Cosine between descent and the way to z from which the peak moves at full stride."""
MAX_STRIDE = 0.1
"""Largest change of log(peak) in one update: a tenfold error is mended in about 25."""
TURN, GROW = 0.5, 1.02
"""The stride halves where the slope changes its sign, and grows slowly while it does not (as in Rprop)."""
OVERSHOT = -0.01
"""Averaged cosine below which a warm-up has led too far; the margin is for the noise of few slopes."""


class AdaptiveScheduleFree(AdamWScheduleFree):
    """AdamWScheduleFree that moves `lr` within [peak / max_factor, peak * max_factor]."""

    def __init__(self, params: Any, *, lr: float, max_factor: float, **settings: Any) -> None:
        super().__init__(params, lr=lr, **settings)
        for group in self.param_groups:
            group.update(
                start_lr=lr, max_factor=max_factor, descent=0.0, num_slopes=0, stride=MAX_STRIDE
            )

    @torch.no_grad()
    def step(self, closure: Any = None) -> float | None:
        """Choose the peak by this gradient, then move the weights with it, or go back to the first ones."""
        self._keep_start()
        cosine = self.descent_cosine()
        if cosine is not None:
            self._follow(cosine)
            if self._overshot():
                return self._go_back()
        return super().step(closure)

    @torch.no_grad()
    def descent_cosine(self) -> float | None:
        """Cosine between the descent direction and the way from x to z; None where they are one place."""
        pairs = [
            (own_part(p.grad), own_part(self.state[p]["z"]) - own_part(p))
            for group in self.param_groups
            for p in group["params"]
            if p.grad is not None and "z" in self.state[p]
        ]
        if not pairs:
            return None
        sums = sum(
            torch.stack([(grad * way).sum(), grad.square().sum(), way.square().sum()])
            for grad, way in pairs
        )
        assert isinstance(sums, Tensor)
        first = self.param_groups[0]["params"][0]
        dot, grad_square, way_square = sum_of_parts(sums, like=first).tolist()
        scale = math.sqrt(grad_square * way_square)
        return -dot / scale if scale > 0 and math.isfinite(scale) else None

    @property
    def _tests_range(self) -> bool:
        return self.param_groups[0]["k"] < self.param_groups[0]["warmup_steps"] / 2

    def _keep_start(self) -> None:
        """The weights to go back to, for as long as they may be needed."""
        for group in self.param_groups:
            for p in group["params"]:
                if not self._tests_range:
                    self.state[p].pop("start", None)
                elif group["k"] == 0 and "start" not in self.state[p]:
                    self.state[p]["start"] = p.clone(memory_format=torch.preserve_format)

    def _overshot(self) -> bool:
        first = self.param_groups[0]
        return (
            self._tests_range
            and first["num_slopes"] >= MEMORY_STEPS
            and first["descent"] < OVERSHOT
            and first["lr"] > first["start_lr"] / first["max_factor"]
            and "start" in self.state[first["params"][0]]
        )

    def _go_back(self) -> None:
        """To the first weights, and a peak whose warm-up makes the way that was made until the slope turned."""
        first = self.param_groups[0]
        k, warmup_steps = first["k"], first["warmup_steps"]
        # Rates of a warm-up sum up to peak / steps * k * (k + 1) / 2; an averaged slope is an update late.
        share = (k - 1) * k / (warmup_steps * (warmup_steps + 1))
        lr = max(first["start_lr"] / first["max_factor"], first["lr"] * share)
        for group in self.param_groups:
            for p in group["params"]:
                start = self.state[p]["start"]
                p.copy_(start)
                self.state[p] = {"start": start}
            group.update(lr=lr, k=0, weight_sum=0.0, lr_max=-1.0)
            group.update(descent=0.0, num_slopes=0, stride=MAX_STRIDE)

    def _follow(self, cosine: float) -> None:
        first = self.param_groups[0]
        count = first["num_slopes"] + 1
        weight = max(1 / count, 1 / MEMORY_STEPS)
        descent = first["descent"] + weight * (cosine - first["descent"])
        turned = descent * first["descent"] < 0
        stride = min(MAX_STRIDE, first["stride"] * (TURN if turned else GROW))
        change = stride * max(-1.0, min(1.0, descent / STEEP))
        if first["k"] < first["warmup_steps"]:
            # Short steps of the warm-up always fall; they say nothing for a longer peak.
            change = min(change, 0.0)
        start, factor = first["start_lr"], first["max_factor"]
        lr = max(start / factor, min(start * factor, first["lr"] * math.exp(change)))
        for group in self.param_groups:
            group.update(lr=lr, descent=descent, num_slopes=count, stride=stride)
