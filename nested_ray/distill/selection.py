"""What of a teacher's distribution is told: the likeliest ids, some fixed ones, and samples of the rest.

`topk` over a vocabulary costs a hundred times what reading it does, a cumulative sum over it as much again.
Here the vocabulary is cut into groups of 32 ids (every G-th id, so that group maxima and sums are plain
vector work), and both look only into the groups that matter: the k likeliest ids lie in the k groups
with the largest maxima, and a point of the tail's cumulative distribution in the group that its sum
says. Three passes over the vocabulary are left: maximum, exponential, sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# N tokens, V vocabulary, K likeliest ids, A ids always told, M tail samples, C ids of a group, G groups

GROUP_SIZE = 32
MIN_GROUPS_PER_ID = 4
"""With fewer groups per likeliest id than this, most groups would be looked into anyway."""

LOWEST = -80.0
"""Nats below the likeliest id: 2e-35 of it, which the smallest tail below makes nothing of."""

SMALLEST_TAIL = 1e-20
"""Relative to the likeliest id; a smaller tail is scaled to itself before it is sampled."""


@dataclass(frozen=True)
class Selection:
    """Ids and natural log-probabilities of N tokens."""

    head_ids_NK: Tensor
    head_logp_NK: Tensor
    """None of these ids is one of the A."""
    always_logp_NA: Tensor
    tail_ids_NM: Tensor
    gold_logp_N: Tensor


def select(
    logits_NV: Tensor,
    gold_ids_N: Tensor,
    always_A: Tensor,
    uniform_N: Tensor,
    *,
    head_k: int,
    tail_samples: int,
) -> Selection:
    """Head, fixed ids, gold id and tail samples of each token; `uniform_N` in [0, 1) decides the samples."""
    vocab_size = logits_NV.shape[-1]
    gold_N1 = logits_NV.gather(-1, gold_ids_N[:, None]).float()
    always_NA = logits_NV[:, always_A].float()
    grouped_NCG = in_groups(logits_NV, head_k)
    shape_NCG = grouped_NCG.shape
    flat_NV = grouped_NCG.flatten(1)
    flat_NV.index_fill_(-1, always_A, float("-inf"))  # from here on: ids that are told anyway
    head_NK, head_ids_NK = grouped_topk(grouped_NCG, head_k)
    largest_N1 = torch.cat([head_NK[:, :1], always_NA], -1).amax(-1, keepdim=True)
    # Far below the largest, and at -inf, exp takes a path that is several times slower.
    weight_NV = flat_NV.sub_(largest_N1).clamp_min_(LOWEST).exp_()
    weight_NCG = weight_NV.index_fill_(-1, always_A, 0.0).view(shape_NCG)
    sums_NG = weight_NCG.sum(1)
    total_N1 = sums_NG.sum(-1, keepdim=True) + (always_NA - largest_N1).exp().sum(-1, keepdim=True)
    logz_N1 = largest_N1 + total_N1.log()

    weight_NCG.flatten(1).scatter_(-1, head_ids_NK, 0.0)
    cdf_NG = groups_cdf(weight_NCG, sums_NG, head_ids_NK)
    tail_ids_NM = sample_groups(weight_NCG, cdf_NG, uniform_N, tail_samples)
    lost_N = cdf_NG[:, -1] < SMALLEST_TAIL
    if lost_N.any():
        logp_NV = logits_NV[lost_N].float().index_fill(-1, always_A, float("-inf"))
        tail_ids_NM[lost_N] = sample_tail(
            logp_NV, head_ids_NK[lost_N], uniform_N[lost_N], tail_samples
        )
    return Selection(
        head_ids_NK=head_ids_NK.clamp_max(vocab_size - 1),
        head_logp_NK=head_NK - logz_N1,
        always_logp_NA=always_NA - logz_N1,
        tail_ids_NM=tail_ids_NM.clamp_max(vocab_size - 1),
        gold_logp_N=(gold_N1 - logz_N1).squeeze(-1),
    )


def in_groups(logits_NV: Tensor, head_k: int) -> Tensor:
    """An fp32 copy as (N, C, G): id v is at place v // G of group v % G, and -inf where there is no id."""
    num_tokens, vocab_size = logits_NV.shape
    size = GROUP_SIZE if vocab_size >= GROUP_SIZE * MIN_GROUPS_PER_ID * head_k else 1
    # One pass: a copy in fp32 that is padded afterwards took half of the whole selection.
    padded = logits_NV.new_empty(num_tokens, vocab_size + -vocab_size % size, dtype=torch.float32)
    padded[:, :vocab_size] = logits_NV
    padded[:, vocab_size:] = float("-inf")
    return padded.view(num_tokens, size, -1)


def grouped_topk(values_NCG: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest values of each token and their ids, as `topk` over the whole vocabulary gives them."""
    num_groups = values_NCG.shape[-1]
    groups_NK = values_NCG.amax(1).topk(k, -1).indices
    candidates_NCK = values_NCG.gather(2, groups_NK[:, None].expand(-1, values_NCG.shape[1], -1))
    top_NK, place_NK = candidates_NCK.flatten(1).topk(k, -1)
    ids_NK = place_NK // k * num_groups + groups_NK.gather(-1, place_NK % k)
    return top_NK, ids_NK


def groups_cdf(weight_NCG: Tensor, sums_NG: Tensor, head_ids_NK: Tensor) -> Tensor:
    """Cumulative weight of the groups, the head's own being zero by now.

    The sums of groups that held a part of the head are taken anew: what is left of a sum after
    subtracting nearly all of it would be rounding.
    """
    size, num_groups = weight_NCG.shape[1:]
    groups_NK = head_ids_NK % num_groups
    anew_NK = weight_NCG.gather(2, groups_NK[:, None].expand(-1, size, -1)).sum(1)
    return sums_NG.scatter(-1, groups_NK, anew_NK).cumsum(-1)


def sample_groups(
    weight_NCG: Tensor, cdf_NG: Tensor, uniform_N: Tensor, tail_samples: int
) -> Tensor:
    """tail_ids_NM drawn in proportion to the weights: first the group, then the id in it."""
    size, num_groups = weight_NCG.shape[1:]
    points_NM = spread_points(cdf_NG[:, -1:], uniform_N, tail_samples)
    groups_NM = torch.searchsorted(cdf_NG, points_NM, right=True).clamp_max_(num_groups - 1)
    below_NM = cdf_NG.gather(-1, (groups_NM - 1).clamp_min(0)).masked_fill_(groups_NM == 0, 0.0)
    inside_NMC = weight_NCG.gather(2, groups_NM[:, None].expand(-1, size, -1)).transpose(1, 2)
    inside_NMC = inside_NMC.contiguous().cumsum(-1)
    # Rounding may reach past the group's last id that has any mass.
    last_NM = torch.nextafter(inside_NMC[..., -1], torch.zeros_like(below_NM))
    within_NM = torch.minimum((points_NM - below_NM).clamp_min_(0.0), last_NM)
    place_NM = torch.searchsorted(inside_NMC, within_NM[..., None], right=True).squeeze(-1)
    return place_NM.clamp_max_(size - 1) * num_groups + groups_NM


def sample_tail(
    logp_NV: Tensor, head_ids_NK: Tensor, uniform_N: Tensor, tail_samples: int
) -> Tensor:
    """tail_ids_NM: M ids per token from p restricted to outside the head, by inverse CDF over all ids.

    Ids with log-probability -inf are never drawn. An id may come more than once.
    """
    tail_NV = logp_NV.scatter(-1, head_ids_NK.clamp_max(logp_NV.shape[-1] - 1), float("-inf"))
    # Relative to the largest tail probability: a tail of total mass 1e-30 must not underflow.
    largest_N1 = tail_NV.amax(-1, keepdim=True).clamp_min(torch.finfo(tail_NV.dtype).min)
    cdf_NV = (tail_NV - largest_N1).exp_().cumsum(-1)
    points_NM = spread_points(cdf_NV[:, -1:], uniform_N, tail_samples)
    ids_NM = torch.searchsorted(cdf_NV, points_NM, right=True)
    return ids_NM.clamp_max(logp_NV.shape[-1] - 1)


def spread_points(total_N1: Tensor, uniform_N: Tensor, tail_samples: int) -> Tensor:
    """M points of [0, total) per token, spread evenly: (j + u) / M with one u per token.

    Systematic sampling: an id is expected M * p(id | outside the head) times, exactly as with M
    independent draws and with less variance.
    """
    steps_M = torch.arange(tail_samples, device=total_N1.device, dtype=total_N1.dtype)
    points_NM = (steps_M + uniform_N.to(total_N1.dtype)[:, None]) / tail_samples * total_N1
    # Rounding may reach the total itself, past the last id that has any mass.
    return torch.minimum(points_NM, torch.nextafter(total_N1, torch.zeros_like(total_N1)))
