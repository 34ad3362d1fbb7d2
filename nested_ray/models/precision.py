"""Whether bf16 is the faster number format on this device: measured, never assumed."""

from __future__ import annotations

import contextlib
import time
from typing import Literal

import torch

WORTHWHILE = 1.2
"""bf16 is taken when its matrix product is faster by this factor."""


def bf16_speedup(device: torch.device, width: int, repeats: int = 5) -> float:
    """Time of a (1024, width) x (width, width) product in fp32 over its time in bf16."""
    return _best_time_s(torch.float32, device, width, repeats) / _best_time_s(
        torch.bfloat16, device, width, repeats
    )


def choose_dtype(
    precision: Literal["auto", "bf16", "fp32"], device: torch.device, width: int
) -> torch.dtype:
    """The format of matrix products; weights stay fp32 either way."""
    if precision == "auto":
        precision = "bf16" if bf16_speedup(device, width) > WORTHWHILE else "fp32"
    return torch.bfloat16 if precision == "bf16" else torch.float32


def autocast(dtype: torch.dtype, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Autocast to bf16 over fp32 master weights, or nothing at all for fp32."""
    if dtype is torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def _best_time_s(dtype: torch.dtype, device: torch.device, width: int, repeats: int) -> float:
    left = torch.ones(1024, width, dtype=dtype, device=device)
    right = torch.ones(width, width, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(repeats + 1):  # the first one also pays for choosing a kernel
        started = time.perf_counter()
        torch.matmul(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - started)
    return best
