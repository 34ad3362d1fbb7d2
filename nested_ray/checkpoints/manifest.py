"""A manifest names a folder's files with size and sha256; every load verifies them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from nested_ray.errors import DigestMismatch
from nested_ray.files import sha256_of, write_json

FORMAT = 1


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


def read_manifest(directory: Path, name: str) -> tuple[str, ...]:
    """The names of the manifest's files, after checking every one of them.

    Raises DigestMismatch when the manifest or a file is missing or differs.
    """
    try:
        values = json.loads((directory / name).read_text(encoding="utf-8"))
        digests = {file: entry["sha256"] for file, entry in values["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise DigestMismatch(f"{directory} has no readable {name}: it is incomplete") from exc
    for file, digest in digests.items():
        _verify(directory / file, digest)
    return tuple(digests)


def _verify(path: Path, expected: str) -> None:
    found = sha256_of(path) if path.is_file() else "nothing"
    if found != expected:
        raise DigestMismatch(
            f"{path} should have sha256 {expected}, found {found}: the file changed after it was written"
        )
