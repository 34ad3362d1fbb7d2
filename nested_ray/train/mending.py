"""A level's folder of checkpoints, as an earlier attempt left it, made one that Ray Train can go on from.

Ray Train keeps a list of the checkpoints it knows in a snapshot, written in place. A kill may leave it cut off, and
it refuses to start when the list names a folder that is gone or was written by another release of Ray. Without
the snapshot it starts with an empty list; the level finds its checkpoints in the folder itself.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray

from nested_ray.checkpoints import step_of

logger = logging.getLogger(__name__)

SNAPSHOT = "checkpoint_manager_snapshot.json"
PATTERN = "checkpoint_*"
KEEP_UNKNOWN = 2
"""Newest checkpoints that stay although Ray Train does not know them: reported, and killed before it heard."""


def checkpoint_folders(storage: Path) -> list[Path]:
    """Every folder of a level that may be a checkpoint."""
    return [path for path in storage.glob(PATTERN) if path.is_dir()]


def known_names(storage: Path) -> set[str] | None:
    """Names of the checkpoints in the snapshot; None when there is none that can be read."""
    try:
        return set(_names(json.loads((storage / SNAPSHOT).read_text(encoding="utf-8"))))
    except (OSError, ValueError):
        return None


def latest_name(storage: Path) -> str | None:
    """Name of the checkpoint that Ray Train finished writing last; None without one."""
    try:
        snapshot = json.loads((storage / SNAPSHOT).read_text(encoding="utf-8"))
        return snapshot["latest_checkpoint_result"]["checkpoint_dir_name"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def mend(storage: Path) -> list[str]:
    """Put away what Ray Train would refuse, and old checkpoints that it has lost sight of.

    Call it before the run starts, while nothing works in the folder. Returns a sentence per finding.
    """
    problem = _snapshot_problem(storage)
    if problem:
        (storage / SNAPSHOT).replace(storage / f"{SNAPSHOT}.damaged")
        return [problem]  # and delete nothing while it is not known which ones are whole
    known = known_names(storage) or set()
    unknown = [path for path in checkpoint_folders(storage) if path.name not in known]
    for path in sorted(unknown, key=step_of)[:-KEEP_UNKNOWN]:
        logger.info("%s is no longer needed", path)
        shutil.rmtree(path, ignore_errors=True)
    return []


def _snapshot_problem(storage: Path) -> str:
    """Why Ray Train would not start with this snapshot; empty when it would."""
    path = storage / SNAPSHOT
    if not path.exists():
        return ""
    names = known_names(storage)
    if names is None:
        return f"{path} cannot be read; the checkpoints beside it are used without"
    if missing := sorted(name for name in names if not (storage / name).is_dir()):
        return f"{storage / missing[0]} is gone; the level goes on from what else is there"
    version = json.loads(path.read_text(encoding="utf-8")).get("ray_version")
    if version != ray.__version__:
        return f"{path} was written by Ray {version}; the checkpoints beside it are used without"
    return ""


def _names(snapshot: Any) -> Iterator[str]:
    """Every checkpoint that a snapshot names, wherever in it."""
    if isinstance(snapshot, dict):
        if isinstance(name := snapshot.get("checkpoint_dir_name"), str):
            yield name
        snapshot = list(snapshot.values())
    if isinstance(snapshot, list):
        for value in snapshot:
            yield from _names(value)
