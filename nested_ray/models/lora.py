"""Low-rank adapters inside a decoder: put in, kept in checkpoints, merged into what is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from nested_ray.config.levels import LoraConfig
from nested_ray.errors import ConfigError

ADAPTER = "adapter.safetensors"
NAME = "default"


def add_lora(model: PreTrainedModel, config: LoraConfig, *, seed: int) -> None:
    """Freeze the weights and put adapters beside them, in place; the output is the same until they learn.

    The embedding (and an output layer of its own) stays trainable: the vocabulary has just been
    replaced. What is trained is fp32. The caller's random state is left as it was.
    """
    from peft import LoraConfig as PeftConfig  # half a second that most levels can do without
    from peft import inject_adapter_in_model

    peft_config = PeftConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=0.0,
        target_modules=list(config.modules) or "all-linear",
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            inject_adapter_in_model(peft_config, model, NAME)
        except ValueError as exc:
            raise ConfigError(f"lora.modules: {exc}") from exc
    layers: list[Any] = [model.get_input_embeddings(), model.get_output_embeddings()]
    for layer in layers:
        layer.weight.requires_grad_(True)
    for parameter in trainable(model).values():
        parameter.data = parameter.data.float()


def is_adapted(model: nn.Module) -> bool:
    """Whether there are adapters in the model."""
    return bool(getattr(model, "peft_config", None))


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """What is learned, by name; a tied weight once."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def save_adapter(model: nn.Module, directory: Path) -> None:
    """What a level with adapters needs to go on: everything that is learned, apart from the frozen weights."""
    tensors = {name: p.detach().contiguous() for name, p in trainable(model).items()}
    save_file(tensors, directory / ADAPTER)


def load_adapter(model: nn.Module, directory: Path) -> None:
    """The inverse of `save_adapter` for a model that `add_lora` made from the same start."""
    tensors, parameters = load_file(directory / ADAPTER), trainable(model)
    if tensors.keys() != parameters.keys():
        raise ConfigError(
            f"{directory / ADAPTER} belongs to a level with other adapters; "
            "start the run again with --fresh"
        )
    with torch.no_grad():
        for name, tensor in tensors.items():
            parameters[name].copy_(tensor)


def merged(model: nn.Module) -> dict[str, Tensor]:
    """The state of the model that the adapters make of it, under the names it has without them.

    Sums are made in fp32 and stored in the format of the frozen weight.
    """
    from peft.tuners.lora import LoraLayer

    layers: dict[str, Any] = {
        name: module for name, module in model.named_modules() if isinstance(module, LoraLayer)
    }
    deltas = {
        f"{name}.weight": layer.get_delta_weight(NAME).detach() for name, layer in layers.items()
    }
    state = {}
    for name, tensor in model.state_dict().items():
        if ".lora_" in name:
            continue
        plain = name.replace(".base_layer.", ".")
        if plain in deltas and name != plain:
            tensor = (tensor.float() + deltas[plain].float()).to(tensor.dtype)
        state[plain] = tensor
    return state
