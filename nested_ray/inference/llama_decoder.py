"""A Llama forward written out for decoding: few, fused operations a step and a growing cache.

The Python around the operations, not the arithmetic, is what a step of a small model costs;
`tests/bench/decode_speed.py` compares it with transformers' own forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from nested_ray.inference.decoder import pad_right

# B sequences, T new tokens, J cached positions, D model, H query heads, K key heads, E head size,
# V vocabulary

FIRST_ROOM = 64
"""Positions reserved beyond the prompt; doubled when they run out."""


@dataclass
class LlamaCache:
    """Keys and values of every layer, each (B, K, capacity, E), filled up to `lengths_B`."""

    keys: list[Tensor]
    values: list[Tensor]
    lengths_B: Tensor
    longest: int
    even: bool
    """All sequences have the same length, so one slice is written instead of scattered rows."""

    @property
    def capacity(self) -> int:
        return self.keys[0].shape[2]

    def select(self, rows: Sequence[int]) -> LlamaCache:
        index = torch.tensor(list(rows), device=self.lengths_B.device)
        lengths_B = self.lengths_B.index_select(0, index)
        lengths = set(lengths_B.tolist())
        longest = max(lengths)
        return LlamaCache(
            keys=[_select(layer, index, longest) for layer in self.keys],
            values=[_select(layer, index, longest) for layer in self.values],
            lengths_B=lengths_B,
            longest=longest,
            even=len(lengths) == 1,
        )

    def reserve(self, num_tokens: int) -> None:
        """Make room for so many more tokens per sequence."""
        needed = self.longest + num_tokens
        if needed > self.capacity:
            room = max(needed, 2 * self.capacity) - self.capacity
            self.keys = [F.pad(layer, (0, 0, 0, room)) for layer in self.keys]
            self.values = [F.pad(layer, (0, 0, 0, room)) for layer in self.values]


@dataclass(frozen=True)
class LayerWeights:
    """One layer, with the projections that read the same input joined into one."""

    attention_norm: Tensor
    qkv: Tensor
    output: Tensor
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor


def supports(config: LlamaConfig) -> bool:
    """Plain Llama: no biases, SiLU, and a rotary embedding that does not depend on the length."""
    rope_type = (config.rope_parameters or {}).get("rope_type", "default")
    plain = not (config.attention_bias or config.mlp_bias)
    return plain and config.hidden_act == "silu" and rope_type in ("default", "linear", "llama3")


class LlamaDecoder:
    """Decodes a LlamaForCausalLM; the same numbers as its forward, up to rounding."""

    def __init__(self, model: LlamaForCausalLM):
        config = model.config
        self.vocab_size: int = config.vocab_size
        self._num_heads = config.num_attention_heads
        self._num_key_heads = config.num_key_value_heads or config.num_attention_heads
        self._head_size = config.head_dim or config.hidden_size // config.num_attention_heads
        self._eps = config.rms_norm_eps
        self._embedding = model.model.embed_tokens.weight.detach()
        self._layers = [_layer_weights(layer) for layer in model.model.layers]
        self._final_norm = model.model.norm.weight.detach()
        self._unembedding = model.lm_head.weight.detach()
        self._rotary = model.model.rotary_emb
        self._cos_JE, self._sin_JE = self._rotary_table(config.max_position_embeddings)

    @torch.inference_mode()
    def prefill(self, rows: Sequence[Sequence[int]]) -> tuple[LlamaCache, Tensor]:
        ids_BT, lengths_B = pad_right(rows, self._embedding.device)
        batch, longest = ids_BT.shape
        cache = self._empty_cache(batch, longest + FIRST_ROOM)
        hidden_BTD = self._forward(cache, ids_BT)
        cache.lengths_B = lengths_B
        cache.even = bool((lengths_B == longest).all())
        last_BD = hidden_BTD[torch.arange(batch, device=ids_BT.device), lengths_B - 1]
        return cache, self._logits(last_BD)

    @torch.inference_mode()
    def extend(self, cache: LlamaCache, ids_BT: Tensor) -> Tensor:
        return self._logits(self._forward(cache, ids_BT.to(self._embedding.device)))

    def _forward(self, cache: LlamaCache, ids_BT: Tensor) -> Tensor:
        """Hidden states (B, T, D) of new tokens; their keys and values join the cache."""
        num_new = ids_BT.shape[1]
        cache.reserve(num_new)
        offsets_T = torch.arange(num_new, device=ids_BT.device)
        positions_BT = cache.lengths_B[:, None] + offsets_T
        end = cache.longest + num_new
        if end > len(self._cos_JE):
            self._cos_JE, self._sin_JE = self._rotary_table(2 * end)
        rotary = (self._cos_JE[positions_BT][:, :, None], self._sin_JE[positions_BT][:, :, None])
        mask = self._mask(cache, positions_BT, end)
        hidden_BTD = self._embedding[ids_BT]
        for number, weights in enumerate(self._layers):
            normed_BTD = self._norm(hidden_BTD, weights.attention_norm)
            q_BHTE, k_BKTE, v_BKTE = self._project(normed_BTD, weights, rotary)
            keys, values = self._remember(cache, number, positions_BT, k_BKTE, v_BKTE)
            mixed_BTD = self._attend(q_BHTE, keys[:, :, :end], values[:, :, :end], mask)
            hidden_BTD = hidden_BTD + F.linear(mixed_BTD, weights.output)
            gate, up = F.linear(self._norm(hidden_BTD, weights.mlp_norm), weights.gate_up).chunk(
                2, -1
            )
            hidden_BTD = hidden_BTD + F.linear(F.silu(gate) * up, weights.down)
        cache.lengths_B = cache.lengths_B + num_new
        cache.longest = end
        return hidden_BTD

    def _project(
        self, normed_BTD: Tensor, weights: LayerWeights, rotary: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys (both rotated) and values, heads before tokens."""
        batch, num_new, _ = normed_BTD.shape
        heads = F.linear(normed_BTD, weights.qkv).view(batch, num_new, -1, self._head_size)
        num_rotated = self._num_heads + self._num_key_heads
        rotated = _rotate(heads[:, :, :num_rotated], *rotary).transpose(1, 2)
        v_BKTE = heads[:, :, num_rotated:].transpose(1, 2)
        return rotated[:, : self._num_heads], rotated[:, self._num_heads :], v_BKTE

    def _remember(
        self, cache: LlamaCache, number: int, positions_BT: Tensor, k_BKTE: Tensor, v_BKTE: Tensor
    ) -> tuple[Tensor, Tensor]:
        keys, values = cache.keys[number], cache.values[number]
        if cache.even:
            end = cache.longest + k_BKTE.shape[2]
            keys[:, :, cache.longest : end] = k_BKTE
            values[:, :, cache.longest : end] = v_BKTE
        else:
            rows_B1 = torch.arange(len(positions_BT), device=positions_BT.device)[:, None]
            keys[rows_B1, :, positions_BT] = k_BKTE.transpose(1, 2)
            values[rows_B1, :, positions_BT] = v_BKTE.transpose(1, 2)
        return keys, values

    def _attend(self, q_BHTE: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Attention of the new tokens over all cached ones, heads joined: (B, T, D)."""
        causal = mask is None and q_BHTE.shape[2] > 1
        grouped = self._num_heads != self._num_key_heads
        mixed_BHTE = F.scaled_dot_product_attention(
            q_BHTE, keys, values, attn_mask=mask, is_causal=causal, enable_gqa=grouped
        )
        return mixed_BHTE.transpose(1, 2).flatten(2)

    def _mask(self, cache: LlamaCache, positions_BT: Tensor, end: int) -> Tensor | None:
        """Which positions each new token sees (B, 1, T, J); None where a plain rule says it."""
        num_new = positions_BT.shape[1]
        if cache.longest == 0 or (num_new == 1 and cache.even):
            return None
        positions_J = torch.arange(end, device=positions_BT.device)
        return (positions_J <= positions_BT[:, :, None])[:, None]

    def _norm(self, hidden: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(hidden, weight.shape, weight, self._eps)

    def _logits(self, hidden: Tensor) -> Tensor:
        return F.linear(self._norm(hidden, self._final_norm), self._unembedding).float()

    def _rotary_table(self, length: int) -> tuple[Tensor, Tensor]:
        positions = torch.arange(length, device=self._embedding.device)[None]
        cos, sin = self._rotary(self._embedding, positions)
        return cos[0], sin[0]

    def _empty_cache(self, batch: int, capacity: int) -> LlamaCache:
        shape = (batch, self._num_key_heads, capacity, self._head_size)
        return LlamaCache(
            keys=[self._embedding.new_zeros(shape) for _ in self._layers],
            values=[self._embedding.new_zeros(shape) for _ in self._layers],
            lengths_B=torch.zeros(batch, dtype=torch.long, device=self._embedding.device),
            longest=0,
            even=True,
        )


def _select(layer: Tensor, index: Tensor, longest: int) -> Tensor:
    """Rows of one layer's keys or values, with room for more tokens."""
    rows = layer.new_zeros((len(index), layer.shape[1], longest + FIRST_ROOM, layer.shape[3]))
    rows[:, :, :longest] = layer[index, :, :longest]
    return rows


def _rotate(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = heads.chunk(2, -1)
    return heads * cos + torch.cat((-second, first), -1) * sin


def _layer_weights(layer: Any) -> LayerWeights:
    attention, mlp = layer.self_attn, layer.mlp
    qkv = [attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]
    return LayerWeights(
        attention_norm=layer.input_layernorm.weight.detach(),
        qkv=torch.cat(qkv).detach(),
        output=attention.o_proj.weight.detach(),
        mlp_norm=layer.post_attention_layernorm.weight.detach(),
        gate_up=torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]).detach(),
        down=mlp.down_proj.weight.detach(),
    )
