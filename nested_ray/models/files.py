"""Weights and shape of a decoder as two files: config.json and model.safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from nested_ray.errors import ConfigError
from nested_ray.models.lora import is_adapted, merged, save_adapter

disable_progress_bar()  # a bar for 30 tensors that load in 10 ms, in the middle of ours

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
PROBLEMS = ("missing", "unexpected", "mismatched")


def save_model(model: PreTrainedModel, directory: str | Path) -> None:
    """Write config.json and model.safetensors into an existing or new folder.

    Adapters are merged into the weights, and kept beside them for who goes on training.
    transformers' own save_pretrained would add generation settings, which belong to the engine.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    model.config.to_json_file(directory / CONFIG, use_diff=False)
    save_file(weights(model), directory / WEIGHTS, metadata={"format": "pt"})
    if is_adapted(model):
        save_adapter(model, directory)


def weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Every weight once: a tied output layer is the embedding and is not stored again."""
    seen: set[int] = set()
    result = {}
    state = merged(model) if is_adapted(model) else model.state_dict()
    for name, tensor in state.items():
        if tensor.data_ptr() in seen:
            continue
        seen.add(tensor.data_ptr())
        result[name] = tensor.detach().contiguous()
    return result


def load_model(directory: str | Path, dtype: torch.dtype = torch.float32) -> Any:
    """The decoder that `save_model` wrote, in eval mode. Never touches the network."""
    directory = Path(directory)
    missing = [name for name in (CONFIG, WEIGHTS) if not (directory / name).is_file()]
    if missing:
        raise ConfigError(
            f"{directory} is not a saved model: {' and '.join(missing)} missing; "
            "train the level again or fetch its nest version"
        )
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        directory,
        dtype=dtype,
        local_files_only=True,
        use_safetensors=True,
        output_loading_info=True,
    )
    model, loading = loaded
    # transformers fills what is missing with random weights and says so in a log line only.
    wrong = [f"{key} {kind}" for kind in PROBLEMS for key in sorted(loading[f"{kind}_keys"])]
    if wrong:
        raise ConfigError(
            f"{directory / WEIGHTS} does not fit {CONFIG}: {', '.join(map(str, wrong[:3]))}"
            f"{' and more' if len(wrong) > 3 else ''}; train the level again or fetch its nest version"
        )
    return model.eval()
