"""Doubt: how likely what stands in a slot is wrong, learned from injected bugs.

The ranker says which option fits best. That is not yet a doubt: right code is often unusual, and some
kinds of unusual mean nothing. So a small network sees the ranker's choice together with the counts
behind what stands there and behind the best alternative, in right code and with injected bugs alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from nested_ray.bugs.candidates import MAX_OPTIONS
from nested_ray.bugs.evidence import NUM_VALUES
from nested_ray.bugs.features import SlotFeatures
from nested_ray.bugs.ranker import Ranker, fit_ranker

# S slots, O options, D dense features, I inputs

NUM_INPUTS = 2 * NUM_VALUES + 4
HIDDEN = 32
EPOCHS = 5
BUGS_PER_SLOT = 2
BATCH_SLOTS = 256
RATE = 2e-3
DECAY = 1e-2
LIMIT = 12.0
"""Log-likelihood ratios beyond this are all equally certain."""


class Doubt(nn.Module):
    """Log-odds that the option which stands in a slot is wrong, as if half of the slots were."""

    mean_I: Tensor
    scale_I: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean_I", torch.zeros(NUM_INPUTS))
        self.register_buffer("scale_I", torch.ones(NUM_INPUTS))
        self.layers = nn.Sequential(nn.Linear(NUM_INPUTS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))

    def forward(self, inputs_SI: Tensor) -> Tensor:
        return self.layers((inputs_SI - self.mean_I) / self.scale_I).squeeze(-1)


def doubt_inputs(
    features: SlotFeatures, log_probs_SO: NDArray[np.float32], options_S: NDArray[np.int64]
) -> NDArray[np.float32]:
    """What the network sees when `options_S` stand in the slots; (S, I)."""
    slots_S = np.arange(len(features))
    others_SO = log_probs_SO.copy()
    others_SO[slots_S, options_S] = -np.inf
    best_S = others_SO.argmax(axis=1)
    starts_S = np.cumsum(features.num_options_S) - features.num_options_S
    own_S, other_S = log_probs_SO[slots_S, options_S], log_probs_SO[slots_S, best_S]
    choice_4S = np.stack(
        [
            np.clip(other_S - own_S, -LIMIT, LIMIT) / 4,
            np.maximum(own_S, -LIMIT) / 4,
            np.maximum(other_S, -LIMIT) / 4,
            features.num_options_S / MAX_OPTIONS,
        ]
    )
    dense_ND = features.dense_ND
    parts = [dense_ND[starts_S + options_S], dense_ND[starts_S + best_S], choice_4S.T]
    return np.concatenate(parts, axis=1).astype(np.float32)


def fit_doubt(features: SlotFeatures, log_probs_SO: NDArray[np.float32], *, seed: int) -> Doubt:
    """Learn from slots whose first option is right; a ranker that has not seen them gives `log_probs_SO`."""
    rng = np.random.default_rng(seed)
    right_S = np.zeros(len(features), np.int64)
    rounds = []
    for _ in range(BUGS_PER_SLOT):
        wrong_S = 1 + rng.integers(0, features.num_options_S - 1)
        rounds += [
            doubt_inputs(features, log_probs_SO, right_S),
            doubt_inputs(features, log_probs_SO, wrong_S),
        ]
    inputs = torch.from_numpy(np.concatenate(rounds))
    is_bug = torch.tensor([0.0, 1.0]).repeat(BUGS_PER_SLOT).repeat_interleave(len(features))
    torch.manual_seed(seed)
    doubt = Doubt()
    doubt.mean_I.copy_(inputs.mean(0))
    doubt.scale_I.copy_(inputs.std(0) + 1e-2)
    optimizer = torch.optim.AdamW(doubt.parameters(), lr=RATE, weight_decay=DECAY)
    for _ in range(EPOCHS):
        order = torch.from_numpy(rng.permutation(len(inputs)))
        for batch in order.split(BATCH_SLOTS):
            loss = functional.binary_cross_entropy_with_logits(doubt(inputs[batch]), is_bug[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return doubt.eval()


@dataclass(frozen=True)
class KindModel:
    """What is known of one kind of slot without a level."""

    ranker: Ranker
    doubt: Doubt

    @torch.inference_mode()
    def doubts(
        self,
        features: SlotFeatures,
        log_probs_SO: NDArray[np.float32],
        options_S: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        """Log-odds that each slot is wrong when these options stand there; default: the first ones."""
        if not len(features):
            return np.zeros(0, np.float32)
        options_S = np.zeros(len(features), np.int64) if options_S is None else options_S
        return self.doubt(torch.from_numpy(doubt_inputs(features, log_probs_SO, options_S))).numpy()


def fit_kind(features: SlotFeatures, *, epochs: int, seed: int) -> KindModel:
    """Ranker and doubt; the doubt learns on a half that its own ranker did not see."""
    order = np.random.default_rng(seed).permutation(len(features))
    seen, unseen = features.take(order[: len(order) // 2]), features.take(order[len(order) // 2 :])
    half = fit_ranker(seen, epochs=epochs, seed=seed)
    return KindModel(
        ranker=fit_ranker(features, epochs=epochs, seed=seed),
        doubt=fit_doubt(unseen, half.score(unseen), seed=seed),
    )
