"""How the layers of a decoder are computed: kept or computed twice, interpreted or compiled."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from nested_ray.errors import ConfigError


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
        if backend == "inductor":
            check_compiler()
        for layer in layers:
            # In place: torch.compile(layer) would put `_orig_mod` into the names of the weights.
            layer.compile(dynamic=True, backend=backend)


def check_compiler() -> None:
    """Raise ConfigError, before minutes of training, where compiled layers could not be compiled."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as exc:
        raise ConfigError(
            "budget.compile needs a C++ compiler on every worker and there is none; "
            "install g++, or set compile: false"
        ) from exc
