"""sha256 of bytes and files, and which paths a version may hold."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath

from nested_ray.errors import RegistryError

ACCEPTED_SUFFIXES = (".safetensors", ".json", ".yaml", ".txt", ".npy")
"""Formats that hold data only; pickle runs code when it is read."""


def sha256_of_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def check_path(path: str) -> None:
    """Raise RegistryError unless `path` is a plain relative path with an accepted suffix."""
    parts = path.split("/")
    if not re.fullmatch(r"[\w./-]{1,256}", path) or any(part in ("", ".", "..") for part in parts):
        raise RegistryError(
            f"{path!r} cannot be a file of a nest version: expected a relative path such as "
            "levels/syntax/config.json"
        )
    if PurePosixPath(path).suffix not in ACCEPTED_SUFFIXES:
        raise RegistryError(
            f"{path!r} cannot be a file of a nest version: only {', '.join(ACCEPTED_SUFFIXES)} are "
            "accepted (save weights as safetensors)"
        )
