"""Log-probabilities of a few ids per token without ever holding the whole softmax.

For a small decoder the passes over N x V numbers cost more than all of its layers. Here they run over
blocks that stay in the processor's cache, in fp32 whatever the logits are, and nothing of size N x V is
kept but the logits themselves: about half of the step time of a one-million-parameter decoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

# N tokens, V vocabulary, J gathered ids per token

BLOCK_ELEMENTS = 1 << 19
"""Logits per block: 2 MB in fp32."""


def log_probs_at(logits_NV: Tensor, ids_NJ: Tensor) -> Tensor:
    """log q(id) for J ids per token, shape (N, J), at least fp32; differentiable."""
    return _LogProbsAt.apply(logits_NV, ids_NJ)


def blocks(logits_NV: Tensor) -> Iterator[slice]:
    """Slices of rows whose logits fit a block; a GPU takes all rows at once."""
    num_rows, vocab_size = logits_NV.shape
    size = max(1, BLOCK_ELEMENTS // vocab_size) if logits_NV.device.type == "cpu" else num_rows
    for start in range(0, num_rows, max(1, size)):
        yield slice(start, start + size)


class _LogProbsAt(torch.autograd.Function):
    """Forward keeps one log-sum-exp per token; backward makes softmax and scatter block by block."""

    @staticmethod
    def forward(ctx: Any, logits_NV: Tensor, ids_NJ: Tensor) -> Tensor:
        dtype = torch.promote_types(logits_NV.dtype, torch.float32)
        logq_NJ = logits_NV.new_empty(ids_NJ.shape, dtype=dtype)
        logz_N = logits_NV.new_empty(len(logits_NV), dtype=dtype)
        for rows in blocks(logits_NV):
            block = logits_NV[rows].to(dtype)
            logz_N[rows] = block.logsumexp(-1)
            logq_NJ[rows] = block.gather(-1, ids_NJ[rows]) - logz_N[rows, None]
        ctx.save_for_backward(logits_NV, ids_NJ, logz_N)
        return logq_NJ

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad_NJ,) = grads
        logits_NV, ids_NJ, logz_N = ctx.saved_tensors
        grad_NV = torch.empty_like(logits_NV)
        total_N1 = grad_NJ.sum(-1, keepdim=True)
        for rows in blocks(logits_NV):
            # d log q(j) / d logit(v) = [v = j] - q(v)
            block = torch.sub(logits_NV[rows], logz_N[rows, None]).exp_()
            block.mul_(-total_N1[rows]).scatter_add_(-1, ids_NJ[rows], grad_NJ[rows])
            grad_NV[rows] = block
        return grad_NV, None
