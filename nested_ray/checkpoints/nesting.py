"""A nested optimiser state as flat tensors plus plain JSON: what safetensors and JSON can hold."""

from __future__ import annotations

from typing import Any

import torch

TENSOR = "__tensor__"


def flatten(state: Any) -> tuple[dict[str, torch.Tensor], Any]:
    """Tensors by path, and the same structure with each tensor replaced by its path.

    Mappings become lists of pairs, because optimisers number their parameters with integers and
    JSON keys are strings. Tuples come back as lists.
    """
    tensors: dict[str, torch.Tensor] = {}
    return tensors, _flatten(state, "", tensors)


def _flatten(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        tensors[path] = value.detach().contiguous()
        return {TENSOR: path}
    if isinstance(value, dict):
        pairs = [[key, _flatten(item, f"{path}/{key}", tensors)] for key, item in value.items()]
        return {"mapping": pairs}
    if isinstance(value, list | tuple):
        return [_flatten(item, f"{path}/{index}", tensors) for index, item in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"training state at {path}: cannot store a {type(value).__name__}")


def unflatten(tensors: dict[str, torch.Tensor], structure: Any) -> Any:
    """The inverse of `flatten`."""
    if isinstance(structure, dict):
        if TENSOR in structure:
            return tensors[structure[TENSOR]]
        return {key: unflatten(tensors, item) for key, item in structure["mapping"]}
    if isinstance(structure, list):
        return [unflatten(tensors, item) for item in structure]
    return structure
