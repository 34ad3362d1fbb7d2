"""Save and load everything a level needs to go on as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from nested_ray.checkpoints.manifest import read_manifest, write_manifest
from nested_ray.checkpoints.nesting import flatten, unflatten
from nested_ray.files import write_file, write_json

SHARED_MANIFEST = "manifest.json"
OPTIMIZER_TENSORS = "optimizer.safetensors"
OPTIMIZER_SCALARS = "optimizer.json"
MODEL_FILES = ("config.json", "model.safetensors")
ADAPTER_FILE = "adapter.safetensors"
"""Only of a level that learns by adapters: its model file holds them merged, which is no state to go on from."""


@dataclass(frozen=True)
class TrainingState:
    """What is stored beside the weights."""

    optimizer: dict[str, Any]
    """`state_dict()` of the optimiser; the state of the learning rate is part of it."""
    cursor: dict[str, Any]
    """This worker's place in its data, as plain JSON values; `step` is the next step to make."""
    rng: torch.Tensor
    """`torch.get_rng_state()` of this worker."""


def save_state(
    directory: str | Path, state: TrainingState, *, rank: int, save_model: Callable[[Path], None]
) -> None:
    """Write one worker's share of a checkpoint; rank 0 also writes model and optimiser.

    All ranks may write into one folder: their file names differ. `save_model` writes
    config.json and model.safetensors, and adapter.safetensors if there is one, into the folder it is given.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    if rank == 0:
        save_model(directory)
        tensors, scalars = flatten(state.optimizer)
        write_file(directory / OPTIMIZER_TENSORS, lambda aside: save_file(tensors, aside))
        write_json(directory / OPTIMIZER_SCALARS, scalars)
        files = [*MODEL_FILES, OPTIMIZER_TENSORS, OPTIMIZER_SCALARS]
        if (directory / ADAPTER_FILE).exists():
            files.append(ADAPTER_FILE)
        write_manifest(directory, SHARED_MANIFEST, files)
    cursor, rng = _rank_files(rank)
    write_json(directory / cursor, state.cursor)
    write_file(directory / rng, lambda aside: save_file({"torch": state.rng}, aside))
    write_manifest(directory, rank_manifest(rank), (cursor, rng))


def load_state(directory: str | Path, *, rank: int) -> TrainingState:
    """The state that `rank` saved, verified. The model is beside it, verified as well.

    A run that goes on with more workers gives each new one rank 0's step and random state.
    Raises DigestMismatch.
    """
    directory = Path(directory)
    read_manifest(directory, SHARED_MANIFEST)
    if not (directory / rank_manifest(rank)).exists():
        rank = 0
    read_manifest(directory, rank_manifest(rank))
    cursor, rng = _rank_files(rank)
    return TrainingState(
        optimizer=unflatten(
            load_file(directory / OPTIMIZER_TENSORS), _read_json(directory / OPTIMIZER_SCALARS)
        ),
        cursor=_read_json(directory / cursor),
        rng=load_file(directory / rng)["torch"],
    )


def cursor_file(rank: int) -> str:
    return f"cursor-{rank}.json"


def rank_manifest(rank: int) -> str:
    return f"manifest-{rank}.json"


def _rank_files(rank: int) -> tuple[str, str]:
    return cursor_file(rank), f"rng-{rank}.safetensors"


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
