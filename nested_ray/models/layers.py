"""How the layers of a decoder are computed: kept or computed twice, interpreted or compiled."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel


def prepare_layers(
    decoder: PreTrainedModel,
    *,
    activation_checkpointing: bool = False,
    compiled: bool = False,
    backend: str = "inductor",
) -> None:
    """Change how the layers compute, not what: weights keep their names and losses their values."""
    layers: Any = decoder.get_decoder().layers
    if activation_checkpointing:
        for layer in layers:
            # transformers' own switch does nothing for a loaded model, which is in eval mode.
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
    if compiled:
        for layer in layers:
            # In place: torch.compile(layer) would put `_orig_mod` into the names of the weights.
            layer.compile(dynamic=True, backend=backend)
