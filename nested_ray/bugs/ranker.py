"""Ranker: how well each option fits its slot, learned from code as it stands.

One choice per slot: the option that stands there against the others (a conditional logit, whose
score is a sum of weights of hashed contexts and a small network over counts). The difference of two
scores is a log-likelihood ratio.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nested_ray.bugs.evidence import NUM_VALUES
from nested_ray.bugs.features import ABSENT, TABLE_SIZE, SlotFeatures

# S slots, O options of a slot, N options of all, F hashed features, D dense features

HIDDEN = 32
BATCH_SLOTS = 128
COUNTS_RATE = 3e-3
CONTEXTS_RATE = 0.02
"""Adagrad's: a context that is seen once moves by this much."""
IMPOSSIBLE = -30.0
"""Score of an option that is not there."""


class Ranker(nn.Module):
    """Scores of options; higher is likelier."""

    def __init__(self) -> None:
        super().__init__()
        self.contexts = nn.EmbeddingBag(TABLE_SIZE, 1, mode="sum", sparse=True, padding_idx=ABSENT)
        nn.init.zeros_(self.contexts.weight)
        self.counts = nn.Sequential(
            nn.Linear(NUM_VALUES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1, bias=False)
        )

    def forward(self, features: SlotFeatures) -> Tensor:
        """Log-probability of each option given that one of them stands there; (S, O)."""
        hashed_NF = torch.from_numpy(features.hashed_NF)
        dense_ND = torch.from_numpy(features.dense_ND)
        scores_N = self.contexts(hashed_NF).squeeze(-1) + self.counts(dense_ND).squeeze(-1)
        real_SO = torch.from_numpy(features.real_SO)
        scores_SO = torch.full(real_SO.shape, IMPOSSIBLE)
        return torch.log_softmax(scores_SO.masked_scatter(real_SO, scores_N), dim=-1)

    @torch.inference_mode()
    def score(self, features: SlotFeatures) -> NDArray[np.float32]:
        """`forward` as an array."""
        return self(features).numpy()


def fit_ranker(features: SlotFeatures, *, epochs: int, seed: int) -> Ranker:
    """Learn from slots of right code, where the first option is the one that belongs there."""
    torch.manual_seed(seed)
    ranker = Ranker()
    contexts = torch.optim.Adagrad(ranker.contexts.parameters(), lr=CONTEXTS_RATE)
    counts = torch.optim.AdamW(ranker.counts.parameters(), lr=COUNTS_RATE)
    shuffle = np.random.default_rng(seed)
    with torch.sparse.check_sparse_tensor_invariants(False):
        for _ in range(epochs):
            order = shuffle.permutation(len(features))
            for start in range(0, len(order), BATCH_SLOTS):
                loss = -ranker(features.take(order[start : start + BATCH_SLOTS]))[:, 0].mean()
                contexts.zero_grad()
                counts.zero_grad()
                loss.backward()
                contexts.step()
                counts.step()
    return ranker.eval()
