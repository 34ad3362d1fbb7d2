"""Any causal model of transformers as a Decoder, by its own forward."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

# B sequences, T new tokens, J cached positions, V vocabulary


@dataclass
class TransformersCache:
    """transformers' own cache of left-padded sequences, and which of its positions are real."""

    past: DynamicCache
    mask_BJ: Tensor

    def select(self, rows: Sequence[int]) -> TransformersCache:
        index = torch.tensor(list(rows), device=self.mask_BJ.device)
        past = copy.deepcopy(self.past)
        past.batch_select_indices(index)
        return TransformersCache(past, self.mask_BJ[index])


class TransformersDecoder:
    """Slower than the hand-written loop on small models, and right for every architecture."""

    def __init__(self, model: PreTrainedModel):
        self._model = model
        self.vocab_size: int = model.config.vocab_size

    @torch.inference_mode()
    def prefill(self, rows: Sequence[Sequence[int]]) -> tuple[TransformersCache, Tensor]:
        longest = max(len(row) for row in rows)
        ids_BT = torch.tensor([[*([0] * (longest - len(row))), *row] for row in rows])
        mask_BT = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        device = self._model.device
        past = DynamicCache(config=self._model.config)
        cache = TransformersCache(past, mask_BT.to(device)[:, :0])
        return cache, self._forward(cache, ids_BT.to(device), mask_BT.to(device), keep=1)[:, -1]

    @torch.inference_mode()
    def extend(self, cache: TransformersCache, ids_BT: Tensor) -> Tensor:
        ids_BT = ids_BT.to(self._model.device)
        return self._forward(cache, ids_BT, torch.ones_like(ids_BT), keep=0)

    def _forward(
        self, cache: TransformersCache, ids_BT: Tensor, mask_BT: Tensor, keep: int
    ) -> Tensor:
        cache.mask_BJ = torch.cat([cache.mask_BJ, mask_BT], dim=1)
        positions_BJ = (cache.mask_BJ.cumsum(dim=1) - 1).clamp(min=0)
        output = self._model(
            input_ids=ids_BT,
            attention_mask=cache.mask_BJ,
            position_ids=positions_BJ[:, -ids_BT.shape[1] :],
            past_key_values=cache.past,
            use_cache=True,
            logits_to_keep=keep,
        )
        return output.logits.float()
