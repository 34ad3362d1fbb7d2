"""Soft targets: what a teacher says about each token, in about 100 bytes.

Per token: the head, which is `head_k` most likely ids and a few that are always in it (where a line or
an answer ends: rare decisions that a plain cut would never teach), with exact log-probabilities;
`tail_samples` ids drawn from the teacher's distribution outside the head; the gold token's
log-probability and the head's mass. Log-probabilities are natural, at temperature 1, normalised over the whole vocabulary before
anything is cut off.

Wire format, version 1: one little-endian record per token, back to back, no padding:
`head_ids u16[K] · head_logp f16[K] · always_logp f16[A] · tail_ids u16[M] · gold_logp f16 ·
head_mass f16`; with K = 14, A = 4 and M = 16 that is 100 bytes. The A ids are the same for all tokens
and stand, with what the bytes belong to, in the RecordHeader that travels beside them.

A teacher that spoke about some tokens only marks its header `partial`: each record then begins with the
token's `position u32`, in order. With M = 0 nothing is known of the tail but its mass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nested_ray.distill.exchange import RecordHeader
from nested_ray.distill.log_probs import blocks
from nested_ray.distill.selection import Selection, select
from nested_ray.errors import TargetsMismatch

# N tokens, P tokens spoken about, V vocabulary, K likeliest ids of the head, A ids always in it, H = K + A head, M tail samples

LOWEST_LOGP = -60_000.0
"""Of an id in the head that is impossible at a token; f16 ends soon below, and -inf times 0 is no number."""

MASS_TOLERANCE = 0.02
"""f16 log-probabilities and f16 mass agree well within it; random bytes do not."""


@dataclass(frozen=True)
class SoftTargets:
    """A teacher's decoded targets for the N valid tokens of one batch, or for P of them."""

    head_ids_NH: Tensor
    head_logp_NH: Tensor
    tail_ids_NM: Tensor
    gold_logp_N: Tensor
    positions_P: Tensor | None = None
    """Which tokens the rows are about, where they are not about all."""

    @property
    def rest_mass_N(self) -> Tensor:
        """Probability outside the head, from the head's own log-probabilities.

        The stored f16 mass is coarser near 1, where most heads are.
        """
        return (1.0 - self.head_logp_NH.exp().sum(-1)).clamp_min(0.0)

    def to(self, device: torch.device) -> SoftTargets:
        return SoftTargets(
            self.head_ids_NH.to(device),
            self.head_logp_NH.to(device),
            self.tail_ids_NM.to(device),
            self.gold_logp_N.to(device),
            None if self.positions_P is None else self.positions_P.to(device),
        )

    def of_all(self, ids_PJ: Tensor, num_tokens: int) -> Tensor:
        """Ids for each of the batch's tokens; id 0 where nothing was said."""
        if self.positions_P is None:
            return ids_PJ
        ids_NJ = ids_PJ.new_zeros((num_tokens, ids_PJ.shape[-1]))
        ids_NJ[self.positions_P] = ids_PJ
        return ids_NJ

    def spoken_about(self, values_N: Tensor) -> Tensor:
        """The batch's values at the tokens that these targets are about."""
        return values_N if self.positions_P is None else values_N[self.positions_P]


def record_dtype(
    head_k: int, tail_samples: int, num_always: int = 0, *, partial: bool = False
) -> np.dtype[np.void]:
    """One token's record as a packed numpy type."""
    return np.dtype(
        [
            *([("position", "<u4")] if partial else []),
            ("head_ids", "<u2", (head_k,)),
            ("head_logp", "<f2", (head_k,)),
            ("always_logp", "<f2", (num_always,)),
            ("tail_ids", "<u2", (tail_samples,)),
            ("gold_logp", "<f2"),
            ("head_mass", "<f2"),
        ]
    )


@torch.no_grad()
def encode_targets(
    logits_NV: Tensor,
    gold_ids_N: Tensor,
    *,
    head_k: int,
    tail_samples: int,
    always_ids: Sequence[int] = (),
    generator: torch.Generator | None = None,
) -> bytes:
    """The records of N tokens from a teacher's logits over a vocabulary of at most 65,536.

    Callers with (B, T, V) logits pass the valid positions, row by row. `generator` lives on the
    CPU and decides the tail samples alone.
    """
    records_N = np.empty(len(logits_NV), dtype=record_dtype(head_k, tail_samples, len(always_ids)))
    always_A = torch.tensor(always_ids, dtype=torch.long, device=logits_NV.device)
    uniform_N = torch.rand(len(logits_NV), generator=generator).to(logits_NV.device)
    for rows in blocks(logits_NV):
        selection = select(
            logits_NV[rows],
            gold_ids_N[rows],
            always_A,
            uniform_N[rows],
            head_k=head_k,
            tail_samples=tail_samples,
        )
        records_N[rows] = pack(selection, records_N.dtype)
    return records_N.tobytes()


def pack(selection: Selection, dtype: np.dtype[np.void]) -> np.ndarray:
    """The records of what was selected."""
    records_N = np.empty(len(selection.gold_logp_N), dtype=dtype)
    head_logp_NK, always_logp_NA = selection.head_logp_NK, selection.always_logp_NA
    records_N["head_ids"] = selection.head_ids_NK.cpu().numpy()
    records_N["head_logp"] = head_logp_NK.clamp_min(LOWEST_LOGP).cpu().numpy()
    records_N["always_logp"] = always_logp_NA.clamp_min(LOWEST_LOGP).cpu().numpy()
    records_N["tail_ids"] = selection.tail_ids_NM.cpu().numpy()
    records_N["gold_logp"] = selection.gold_logp_N.cpu().numpy()
    mass_N = head_logp_NK.exp().sum(-1) + always_logp_NA.exp().sum(-1)
    records_N["head_mass"] = mass_N.cpu().numpy()
    return records_N


def decode_targets(
    header: RecordHeader,
    payload: bytes,
    *,
    batch_digest: str,
    num_tokens: int,
    tokenizer_hash: str,
    vocab_size: int,
) -> SoftTargets:
    """The targets of the caller's own batch; raises TargetsMismatch when they are not."""
    _check_header(header, batch_digest, num_tokens, tokenizer_hash)
    records_N = _records(header, payload, num_tokens)
    _check_values(header, records_N, vocab_size)
    positions_P = None
    if header.partial:
        positions_P = torch.from_numpy(records_N["position"].astype(np.int64))
    return SoftTargets(
        head_ids_NH=torch.from_numpy(_head_ids(header, records_N)),
        head_logp_NH=torch.from_numpy(_head_logp(records_N)),
        tail_ids_NM=torch.from_numpy(records_N["tail_ids"].astype(np.int64)),
        gold_logp_N=torch.from_numpy(records_N["gold_logp"].astype(np.float32)),
        positions_P=positions_P,
    )


def _records(header: RecordHeader, payload: bytes, num_tokens: int) -> np.ndarray:
    """The payload as records: one per token, or in a partial one for some of them in order."""
    dtype = record_dtype(
        header.head_k, header.tail_samples, len(header.always_ids), partial=header.partial
    )
    size = dtype.itemsize
    fits = len(payload) % size == 0 if header.partial else len(payload) == num_tokens * size
    if not fits:
        raise TargetsMismatch(
            f"soft targets of {header.level} for batch {header.batch_id}: {num_tokens} tokens of "
            f"{size} bytes expected, found {len(payload)} bytes; the record is left out"
        )
    records = np.frombuffer(payload, dtype=dtype)
    if header.partial:
        positions = records["position"].astype(np.int64)
        if len(positions) and (positions[-1] >= num_tokens or (np.diff(positions) <= 0).any()):
            raise TargetsMismatch(
                f"soft targets of {header.level} for batch {header.batch_id} name tokens that a batch "
                f"of {num_tokens} does not have, or out of order; the record is left out"
            )
    return records


def _head_ids(header: RecordHeader, records_N: np.ndarray) -> np.ndarray:
    always_NA = np.broadcast_to(header.always_ids, (len(records_N), len(header.always_ids)))
    return np.concatenate([records_N["head_ids"], always_NA], axis=-1).astype(np.int64)


def _head_logp(records_N: np.ndarray) -> np.ndarray:
    parts = [records_N["head_logp"], records_N["always_logp"]]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def _check_header(
    header: RecordHeader, batch_digest: str, num_tokens: int, tokenizer_hash: str
) -> None:
    facts = (
        ("tokenizer", header.tokenizer_hash, tokenizer_hash),
        ("batch digest", header.batch_digest, batch_digest),
        ("number of tokens", header.num_tokens, num_tokens),
    )
    for what, theirs, mine in facts:
        if theirs != mine:
            raise TargetsMismatch(
                f"soft targets of {header.level} for batch {header.batch_id} have {what} {theirs}, "
                f"this level's is {mine}; levels of one nest must share tokenizer, seed and dataset"
            )


def _check_values(header: RecordHeader, records_N: np.ndarray, vocab_size: int) -> None:
    if len(records_N) == 0:
        return
    largest = max(
        records_N["head_ids"].max(), records_N["tail_ids"].max(initial=0), *header.always_ids, 0
    )
    mass_N = np.exp(_head_logp(records_N)).sum(-1)
    stored_N = records_N["head_mass"].astype(np.float32)
    if largest >= vocab_size or not (np.abs(mass_N - stored_N) <= MASS_TOLERANCE).all():
        raise TargetsMismatch(
            f"soft targets of {header.level} for batch {header.batch_id} are damaged: largest id "
            f"{largest} of a vocabulary of {vocab_size}, head masses off by up to "
            f"{np.abs(mass_N - stored_N).max():.3g}; the record is left out"
        )
