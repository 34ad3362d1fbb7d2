"""Small decoders with random weights, built offline from a size preset."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from nested_ray.config.levels import ScratchModel


@dataclass(frozen=True)
class Preset:
    """Size of a decoder. Parameters without the embedding: `num_body_parameters`."""

    hidden_size: int
    num_layers: int
    num_heads: int
    intermediate_size: int

    @property
    def num_body_parameters(self) -> int:
        """Weights of all layers and norms; the tied embedding adds `vocab_size * hidden_size`."""
        attention = 4 * self.hidden_size**2
        feed_forward = 3 * self.hidden_size * self.intermediate_size
        norms = 2 * self.hidden_size
        return self.num_layers * (attention + feed_forward + norms) + self.hidden_size


PRESETS = {
    "nano": Preset(hidden_size=128, num_layers=3, num_heads=2, intermediate_size=384),
    "micro": Preset(hidden_size=192, num_layers=4, num_heads=3, intermediate_size=512),
    "mini": Preset(hidden_size=256, num_layers=5, num_heads=4, intermediate_size=704),
    "small": Preset(hidden_size=512, num_layers=8, num_heads=8, intermediate_size=1408),
    "base": Preset(hidden_size=768, num_layers=12, num_heads=12, intermediate_size=2048),
}
"""With a vocabulary of 4,096: 1.2 M, 2.6 M, 5.1 M, 27.8 M and 88.1 M parameters."""


INIT_GAIN = 0.45
"""Initial weights have standard deviation gain / sqrt(width): 0.02 at width 512, the usual value, and more in
narrower models, which learn faster so."""


def build_model(
    config: ScratchModel, *, vocab_size: int, max_positions: int, seed: int
) -> LlamaForCausalLM:
    """A decoder with tied embeddings in fp32; the same seed gives the same weights.

    The caller's random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(_decoder_config(PRESETS[config.preset], vocab_size, max_positions))


def _decoder_config(preset: Preset, vocab_size: int, max_positions: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=preset.hidden_size,
        initializer_range=INIT_GAIN / math.sqrt(preset.hidden_size),
        intermediate_size=preset.intermediate_size,
        num_hidden_layers=preset.num_layers,
        num_attention_heads=preset.num_heads,
        num_key_value_heads=preset.num_heads,
        max_position_embeddings=max_positions,
        tie_word_embeddings=True,
        use_cache=False,
        # The tokenizer owns the special ids; Llama's defaults would be wrong ones.
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
