"""A manifest names a folder's files with size and sha256; every load verifies them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nested_ray.errors import DigestMismatch

FORMAT = 1


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then put it in place whole."""
    aside = path.with_name(path.name + ".partial")
    write(aside)
    with open(aside, "rb") as file:
        os.fsync(file.fileno())  # before the rename: a crash between them left an empty file
    os.replace(aside, path)


def write_json(path: Path, values: Any) -> None:
    text = json.dumps(values, ensure_ascii=False, indent=1, sort_keys=True)
    write_file(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def write_manifest(directory: Path, name: str, files: Iterable[str]) -> None:
    """Name the given files; written last, so a folder with a manifest is a complete one."""
    entries = {
        file: {
            "sha256": sha256_of(directory / file),
            "size_bytes": (directory / file).stat().st_size,
        }
        for file in sorted(files)
    }
    write_json(directory / name, {"format": FORMAT, "files": entries})
    _fsync_folder(directory)


def read_manifest(directory: Path, name: str) -> tuple[str, ...]:
    """The names of the manifest's files, after checking every one of them.

    Raises DigestMismatch when the manifest or a file is missing or differs.
    """
    try:
        values = json.loads((directory / name).read_text(encoding="utf-8"))
        entries = values["files"]
    except (OSError, ValueError, KeyError) as exc:
        raise DigestMismatch(
            f"checkpoint {directory} has no readable {name}: it is incomplete; "
            "start the run again with --fresh"
        ) from exc
    for file, entry in entries.items():
        _verify(directory / file, entry["sha256"])
    return tuple(entries)


def sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify(path: Path, expected: str) -> None:
    found = sha256_of(path) if path.is_file() else "nothing"
    if found != expected:
        raise DigestMismatch(
            f"{path} should have sha256 {expected}, found {found}; "
            "the file changed after it was written; start the run again with --fresh"
        )


def _fsync_folder(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
