"""A folder of checkpoints → the newest whole one, and what is wrong with those that are newer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from nested_ray.checkpoints.manifest import read_manifest
from nested_ray.checkpoints.store import SHARED_MANIFEST, cursor_file, rank_manifest
from nested_ray.errors import DigestMismatch

UNKNOWN_STEP = -1
"""Of a checkpoint whose cursor cannot be read."""


@dataclass(frozen=True)
class Found:
    """What a level can go on from."""

    folder: Path | None
    """None when no checkpoint is whole."""
    step: int
    """The next step to make; 0 without a checkpoint."""
    problems: tuple[str, ...] = ()
    """A sentence for each damaged checkpoint that would have been newer."""


def newest_whole(folders: list[Path]) -> Found:
    """The checkpoint with the highest step that verifies; every file of those that are looked at is read."""
    problems = []
    for folder in sorted(folders, key=_age):
        try:
            verify_checkpoint(folder)
        except DigestMismatch as exc:
            problems.append(str(exc))
            continue
        return Found(folder, step_of(folder), tuple(problems))
    return Found(None, 0, tuple(problems))


def _age(folder: Path) -> tuple[bool, int, str]:
    """The newest first. One that does not say its step is damaged, and may have been the newest."""
    step = step_of(folder)
    return step != UNKNOWN_STEP, -step, folder.name


def verify_checkpoint(folder: Path) -> None:
    """Check every file that every worker wrote. Raises DigestMismatch naming the first that is wrong."""
    read_manifest(folder, SHARED_MANIFEST)
    read_manifest(folder, rank_manifest(0))
    for rank in range(1, _read_cursor(folder).get("world_size", 1)):
        read_manifest(folder, rank_manifest(rank))


def step_of(folder: Path) -> int:
    """The step that a checkpoint says it is of, unverified."""
    try:
        return int(_read_cursor(folder)["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return UNKNOWN_STEP


def _read_cursor(folder: Path) -> dict[str, int]:
    return json.loads((folder / cursor_file(0)).read_text(encoding="utf-8"))
