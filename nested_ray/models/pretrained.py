"""Causal language models that others trained: a folder, a GGUF file, a package or a hub id → weights and tokenizer."""

from __future__ import annotations

from contextlib import nullcontext, redirect_stderr
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from nested_ray.errors import ConfigError
from nested_ray.models.packaged import PREFIX, find_packaged_model
from nested_ray.models.window import WindowModel

TOKENIZER = "tokenizer.json"
HUB_ID_PARTS = 2


@dataclass(frozen=True)
class Pretrained:
    """Where a pretrained model lies."""

    source: str
    """A folder, a `.gguf` file, `package:NAME` or a hub id."""
    revision: str | None = None
    allow_download: bool = False

    @cached_property
    def path(self) -> Path:
        """Where it lies on this machine; a hub id is a path that is not there."""
        if self.source.startswith(PREFIX):
            return find_packaged_model(self.source)
        return Path(self.source).expanduser()

    @property
    def is_gguf(self) -> bool:
        return self.path.suffix.lower() == ".gguf"

    @property
    def is_local(self) -> bool:
        return self.is_gguf or self.path.is_dir()

    def check(self, *, weights: bool = True) -> None:
        """Raise ConfigError, before anything is loaded, when model (or tokenizer alone) cannot be there."""
        if self.is_gguf:
            self._check_gguf()
        elif self.path.is_dir():
            self._check_folder(weights)
        elif self.path.is_absolute() or self.source.count("/") != HUB_ID_PARTS - 1:
            raise ConfigError(
                f"model source {self.source}: no such folder, and not a hub id such as owner/name"
            )

    def _check_gguf(self) -> None:
        if not self.path.is_file():
            raise ConfigError(f"model source {self.source}: no such file")

    def _check_folder(self, weights: bool) -> None:
        if not (self.path / TOKENIZER).is_file():
            raise ConfigError(
                f"model source {self.source} has no {TOKENIZER}; save its fast tokenizer there"
            )
        if not weights:
            return
        if not (self.path / "config.json").is_file():
            raise ConfigError(f"model source {self.source} has no config.json")
        if not any(self.path.glob("*.safetensors")):
            raise ConfigError(
                f"model source {self.source} has no .safetensors file; weights in pickle files are "
                "not read: save the model again with save_pretrained()"
            )


def load_pretrained(source: Pretrained, dtype: torch.dtype) -> PreTrainedModel:
    """The model in eval mode; raises ConfigError saying what to do when it cannot be read."""
    source.check()
    where = (
        {"pretrained_model_name_or_path": str(source.path.parent), "gguf_file": source.path.name}
        if source.is_gguf
        else {
            "pretrained_model_name_or_path": str(source.path) if source.is_local else source.source,
            "revision": source.revision or "main",
            "use_safetensors": True,
        }
    )
    try:
        # transformers draws a bar for the tensors of a GGUF file that cannot be turned off.
        with redirect_stderr(StringIO()) if source.is_gguf else nullcontext():
            model: Any = AutoModelForCausalLM.from_pretrained(
                **where,
                dtype=dtype,
                local_files_only=not source.allow_download,
                trust_remote_code=False,
            )
    except (OSError, ValueError, ImportError, HfHubHTTPError) as exc:
        raise ConfigError(_advice(source, "model", exc)) from exc
    return model.eval()


def load_tokenizer(source: Pretrained) -> Tokenizer:
    """The model's own fast tokenizer; raises ConfigError when there is none."""
    source.check(weights=False)
    try:
        if source.is_gguf:
            converted: Any = AutoTokenizer.from_pretrained(
                str(source.path.parent), gguf_file=source.path.name, local_files_only=True
            )
            return converted.backend_tokenizer
        return Tokenizer.from_file(_tokenizer_file(source))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as exc:
        raise ConfigError(_advice(source, "tokenizer", exc)) from exc
    except Exception as exc:  # tokenizers raises plain Exception for broken or missing files
        raise ConfigError(
            f"model source {source.source} has no readable {TOKENIZER} ({exc}); "
            "save its fast tokenizer beside the weights"
        ) from exc


def keep_layers(
    model: PreTrainedModel, num_layers: int, which: Literal["first", "spread"] = "first"
) -> None:
    """Cut the decoder down to its first or to evenly spread layers, in place."""
    body: Any = model.get_decoder()
    found = len(body.layers)
    if num_layers > found:
        raise ConfigError(f"num_layers: {num_layers} asked for, the model has {found}")
    kept = list(range(num_layers)) if which == "first" else spread(found, num_layers)
    layers: list[Any] = [body.layers[number] for number in kept]
    body.layers = torch.nn.ModuleList(layers)
    for position, layer in enumerate(layers):
        layer.self_attn.layer_idx = position  # its place in the cache of keys and values
    config: Any = model.config
    config.num_hidden_layers = num_layers
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[number] for number in kept]


def spread(found: int, num_layers: int) -> list[int]:
    """So many numbers below `found` at even distances, the first and the last among them; one alone is the first."""
    return [round(place * (found - 1) / max(1, num_layers - 1)) for place in range(num_layers)]


def check_trainable(model: PreTrainedModel, max_positions: int) -> None:
    """Raise ConfigError when the model cannot be trained the way levels are.

    A level's output layer is computed apart from its body, at the predicted positions alone; models
    that do something else in between (soft caps, scaled logits) would learn other numbers than they answer with.
    """
    config: Any = model.config
    longest = getattr(config, "max_position_embeddings", max_positions)
    if longest < max_positions:
        raise ConfigError(
            f"the model reads at most {longest} tokens, the level needs {max_positions}; lower "
            "windows.window_tokens or context_tokens, or take another model"
        )
    ids_BL = torch.arange(8)[None] % config.vocab_size
    with torch.no_grad():
        expected_NV = model(input_ids=ids_BL).logits[0].float()
        index_BW, valid_BW = torch.arange(8)[None], torch.ones(1, 8, dtype=torch.bool)
        found_NV = WindowModel(model)(ids_BL, index_BW, valid_BW).float()
    if not torch.allclose(found_NV, expected_NV, rtol=1e-2, atol=1e-2):
        raise ConfigError(
            f"{type(model).__name__} changes its logits after the output layer, which levels "
            "cannot be trained with; take a Llama, Qwen, Mistral or similar model"
        )


def _tokenizer_file(source: Pretrained) -> str:
    if source.is_local:
        return str(source.path / TOKENIZER)
    return hf_hub_download(
        source.source,
        TOKENIZER,
        revision=source.revision,
        local_files_only=not source.allow_download,
    )


def _advice(source: Pretrained, what: str, exc: Exception) -> str:
    reason = next((line for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
    advice = "check the folder"
    if not source.is_local:
        advice = (
            "check the name and the connection"
            if source.allow_download
            else "set allow_download: true, or give a local folder"
        )
    return f"cannot load the {what} of {source.source}: {reason}; {advice}"
