"""Arrays on disk with a manifest that names their sizes and sha256."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nested_ray.errors import DigestMismatch, StorageError
from nested_ray.files import sha256_of, write_file, write_json

FORMAT = 1
MANIFEST = "index.json"


def save_arrays(folder: Path, facts: Mapping[str, int], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write each array, then the manifest: a folder with a manifest is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, array in arrays.items():
        path = folder / f"{name}.npy"
        write_file(path, partial(_write_array, np.asarray(array)))
        files[path.name] = {"size_bytes": path.stat().st_size, "sha256": sha256_of(path)}
    write_json(folder / MANIFEST, {"format": FORMAT, **facts, "files": files})


def _write_array(array: NDArray[Any], path: Path) -> None:
    with path.open("wb") as file:  # np.save would add .npy to the name of a path
        np.save(file, array)


def load_arrays(
    folder: Path, names: Sequence[str], *, verify: bool
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The manifest and its arrays, mapped read-only. Sizes are always compared, digests on request."""
    facts = _read_manifest(folder / MANIFEST)
    arrays = {name: _map(folder / f"{name}.npy", facts, verify=verify) for name in names}
    return facts, arrays


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise StorageError(
            f"no n-gram index at {path.parent}: {path.name} is missing; train the nest again or fetch it again"
        ) from exc
    except (OSError, ValueError) as exc:
        raise StorageError(f"cannot read {path}: {exc}; fetch the nest again") from exc
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        found = facts.get("format") if isinstance(facts, dict) else type(facts).__name__
        raise StorageError(f"{path} has format {found!r}, this version reads format {FORMAT}")
    wanted = {"vocab_size": int, "max_order": int, "files": dict}
    for key, kind in wanted.items():
        if not isinstance(facts.get(key), kind):
            raise StorageError(f"{path} lacks {key!r}; fetch the nest again")
    return facts


def _map(path: Path, facts: dict[str, Any], *, verify: bool) -> NDArray[Any]:
    recorded = facts["files"].get(path.name)
    if not isinstance(recorded, dict):
        raise StorageError(f"{path.parent / MANIFEST} does not name {path.name}")
    try:
        size = path.stat().st_size
    except FileNotFoundError as exc:
        raise StorageError(f"{path} is missing; fetch the nest again") from exc
    if size != recorded.get("size_bytes"):
        raise DigestMismatch(
            f"{path} has {size} bytes, its manifest says {recorded.get('size_bytes')}; fetch the nest again"
        )
    if verify and sha256_of(path) != recorded.get("sha256"):
        raise DigestMismatch(
            f"{path} differs from the sha256 in its manifest; fetch the nest again"
        )
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as exc:
        raise DigestMismatch(f"{path} is not an array: {exc}; fetch the nest again") from exc
    # A plain view: slicing np.memmap itself costs microseconds each time.
    return mapped.view(np.ndarray)
