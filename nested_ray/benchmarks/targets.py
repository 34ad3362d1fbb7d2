"""What soft targets cost and how well they teach: processor time per token, gradient against full distillation."""

from __future__ import annotations

import sysconfig
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nested_ray.distill.exchange import RecordHeader
from nested_ray.distill.losses import soft_target_kl
from nested_ray.distill.selection import Selection, select
from nested_ray.distill.targets import decode_targets, encode_targets, pack, record_dtype
from nested_ray.models.pretrained import Pretrained, load_pretrained, load_tokenizer

# N tokens, V vocabulary, K head

HEAD_K, TAIL_SAMPLES = 14, 16
ALWAYS = (1, 9, 10, 11)
ROUNDS = 5
LOGITS_PER_BLOCK = 1 << 22
"""Of a timed call, as many tokens as make so many logits."""
FILES = ("argparse.py", "ast.py", "configparser.py", "csv.py", "dataclasses.py", "heapq.py")
"""Of Python's standard library; what gradients are compared on."""


@dataclass(frozen=True)
class TargetCost:
    """Median processor time per token on one thread, in microseconds."""

    vocab_size: int
    topk_us: float
    """`topk` over the whole vocabulary, for comparison; no part of the encoder."""
    encode_us: float
    """From logits to bytes."""
    pack_us: float
    """From what was selected to bytes."""
    decode_us: float
    bytes_per_token: int


@dataclass(frozen=True)
class GradientError:
    """Relative L2 error of the gradient of the student's logits against full distillation."""

    target: str
    bytes_per_token: int
    per_token: float
    """Mean over the tokens."""
    summed: float
    """Of the sum over all tokens, which is what an optimiser sees of it."""


def measure_cost(vocab_size: int, rounds: int = ROUNDS) -> TargetCost:
    """Encode and decode targets of random logits."""
    num_tokens = max(32, LOGITS_PER_BLOCK // vocab_size)
    generator = torch.Generator().manual_seed(0)
    logits_NV = 3 * torch.randn(num_tokens, vocab_size, generator=generator)
    gold_N = torch.randint(vocab_size, (num_tokens,), generator=generator)
    payload = encode(logits_NV, gold_N)
    selection = select_all(logits_NV[:512], gold_N[:512])
    dtype = record_dtype(HEAD_K, TAIL_SAMPLES, len(ALWAYS))
    return TargetCost(
        vocab_size,
        topk_us=microseconds(lambda: logits_NV.topk(HEAD_K, -1), num_tokens, rounds),
        encode_us=microseconds(lambda: encode(logits_NV, gold_N), num_tokens, rounds),
        pack_us=microseconds(
            lambda: pack(selection, dtype).tobytes(), len(selection.gold_logp_N), rounds
        ),
        decode_us=microseconds(lambda: decode(payload, num_tokens, vocab_size), num_tokens, rounds),
        bytes_per_token=dtype.itemsize,
    )


def microseconds(work: Callable[[], object], num_tokens: int, rounds: int) -> float:
    """Median processor time of a call per token; a call is repeated until the clock is fine enough."""
    work()
    repeats = max(1, 4096 // num_tokens)
    seconds = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(repeats):
            work()
        seconds.append(time.process_time() - started)
    return float(np.median(seconds)) / repeats / num_tokens * 1e6


def select_all(logits_NV: Tensor, gold_N: Tensor) -> Selection:
    return select(
        logits_NV,
        gold_N,
        torch.tensor(ALWAYS),
        torch.rand(len(logits_NV), generator=torch.Generator().manual_seed(1)),
        head_k=HEAD_K,
        tail_samples=TAIL_SAMPLES,
    )


def encode(logits_NV: Tensor, gold_N: Tensor) -> bytes:
    return encode_targets(
        logits_NV,
        gold_N,
        head_k=HEAD_K,
        tail_samples=TAIL_SAMPLES,
        always_ids=ALWAYS,
        generator=torch.Generator().manual_seed(1),
    )


def decode(payload: bytes, num_tokens: int, vocab_size: int) -> Any:
    header = RecordHeader("", "", "", 0, num_tokens, "", HEAD_K, TAIL_SAMPLES, ALWAYS)
    return decode_targets(
        header,
        payload,
        batch_digest="",
        num_tokens=num_tokens,
        tokenizer_hash="",
        vocab_size=vocab_size,
    )


def compare_gradients(
    source: str, *, drop_layers: int, windows: int, window_tokens: int
) -> tuple[list[GradientError], int, float]:
    """Errors of several targets with a pretrained model as teacher and itself without some late layers as student.

    Also gives the number of positions and the mean full KL between the two, in nats.
    """
    place = Pretrained(source)
    teacher, student = load_pretrained(place, torch.float32), load_pretrained(place, torch.float32)
    drop_late_layers(student, drop_layers)
    ids = python_ids(place, windows * (window_tokens + 1))
    totals: dict[str, Errors] = {name: Errors() for name in TARGETS}
    num_positions, kl = 0, 0.0
    for ids_1L in ids.view(windows, 1, window_tokens + 1):
        with torch.no_grad():
            teacher_NV = teacher(input_ids=ids_1L[:, :-1], use_cache=False).logits[0].float()
            student_NV = student(input_ids=ids_1L[:, :-1], use_cache=False).logits[0].float()
        kl_N, full_NV = full_kl(student_NV, teacher_NV)
        num_positions += len(kl_N)
        kl += float(kl_N.sum())
        for name, (_, gradient) in TARGETS.items():
            totals[name].add(gradient(student_NV, teacher_NV, ids_1L[0, 1:]), full_NV)
    errors = [
        GradientError(name, TARGETS[name][0], *total.relative()) for name, total in totals.items()
    ]
    return errors, num_positions, kl / num_positions


def drop_late_layers(model: Any, count: int) -> None:
    """Without the layers before the last one, in place: a model near its teacher, as a level is late in training."""
    body = model.get_decoder()
    body.layers = body.layers[: -1 - count] + body.layers[-1:]
    model.config.num_hidden_layers = len(body.layers)


def python_ids(place: Pretrained, count: int) -> Tensor:
    """Token ids of Python's own library, in the model's vocabulary."""
    folder = Path(sysconfig.get_path("stdlib"))
    tokenizer, ids = load_tokenizer(place), []
    for name in FILES:
        text = (folder / name).read_text(encoding="utf-8")
        ids += tokenizer.encode(text, add_special_tokens=False).ids
    return torch.tensor(ids[:count])


class Errors:
    """Gathers a gradient's error over batches."""

    def __init__(self) -> None:
        self._per_token: list[float] = []
        self._error_V: Tensor | float = 0.0
        self._full_V: Tensor | float = 0.0

    def add(self, grad_NV: Tensor, full_NV: Tensor) -> None:
        error_NV = grad_NV - full_NV
        self._per_token += (error_NV.norm(dim=-1) / full_NV.norm(dim=-1)).tolist()
        self._error_V = self._error_V + error_NV.double().sum(0)
        self._full_V = self._full_V + full_NV.double().sum(0)

    def relative(self) -> tuple[float, float]:
        """Per token and of the sum."""
        error_V, full_V = torch.as_tensor(self._error_V), torch.as_tensor(self._full_V)
        return float(np.mean(self._per_token)), float(error_V.norm() / full_V.norm())


def full_kl(student_NV: Tensor, teacher_NV: Tensor) -> tuple[Tensor, Tensor]:
    """The whole forward KL per token and its gradient, q - p for every logit."""
    logp_NV, logq_NV = teacher_NV.log_softmax(-1), student_NV.log_softmax(-1)
    p_NV = logp_NV.exp()
    return (p_NV * (logp_NV - logq_NV)).sum(-1), logq_NV.exp() - p_NV


def hybrid_gradient(student_NV: Tensor, teacher_NV: Tensor, gold_N: Tensor) -> Tensor:
    """What a level learns from a record that went over the wire."""
    payload = encode(teacher_NV, gold_N)
    targets = decode(payload, len(teacher_NV), teacher_NV.shape[-1])
    student_NV = student_NV.detach().requires_grad_()
    soft_target_kl(student_NV, targets).sum().backward()
    assert student_NV.grad is not None
    return student_NV.grad


def renormalised(k: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The k likeliest ids as if there were no others."""

    def gradient(student_NV: Tensor, teacher_NV: Tensor, gold_N: Tensor) -> Tensor:
        top_NK, ids_NK = teacher_NV.topk(k, -1)
        p_NV = torch.zeros_like(teacher_NV).scatter_(-1, ids_NK, top_NK.softmax(-1))
        return student_NV.softmax(-1) - p_NV

    return gradient


def gold_only(student_NV: Tensor, teacher_NV: Tensor, gold_N: Tensor) -> Tensor:
    """Cross-entropy: what a level learns without a teacher."""
    return student_NV.softmax(-1) - functional.one_hot(gold_N, student_NV.shape[-1])


TARGETS: dict[str, tuple[int, Callable[[Tensor, Tensor, Tensor], Tensor]]] = {
    "14 and 4 exact, 16 samples": (100, hybrid_gradient),
    "16 renormalised": (64, renormalised(16)),
    "256 renormalised": (1024, renormalised(256)),
    "the gold token alone": (0, gold_only),
}
"""By name: bytes per token, and the gradient of the student's logits."""


def costs_table(costs: Sequence[TargetCost]) -> str:
    """One row per vocabulary."""
    lines = [
        "| vocabulary | from logits to bytes | of it packing | decoding | `topk` alone | bytes per token |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {cost.vocab_size:,} | {speed(cost.encode_us)} | {speed(cost.pack_us)} "
        f"| {speed(cost.decode_us)} | {speed(cost.topk_us)} | {cost.bytes_per_token} |"
        for cost in costs
    ]
    return "\n".join(lines) + "\n"


def speed(microseconds: float) -> str:
    return f"{1e3 / microseconds:,.0f} k tokens/s ({microseconds:.1f} µs)"


def errors_table(errors: Sequence[GradientError]) -> str:
    """One row per kind of target."""
    lines = [
        "| target | bytes per token | error of the summed gradient | per token |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {error.target} | {error.bytes_per_token:,} | {error.summed:.3f} | {error.per_token:.3f} |"
        for error in errors
    ]
    return "\n".join(lines) + "\n"
