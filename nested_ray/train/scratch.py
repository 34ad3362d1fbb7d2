"""Folders in which a worker puts checkpoints together; what a killed one left is deleted by its successor."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from nested_ray.train.job import LevelJob


def new_scratch(job: LevelJob, rank: int) -> Path:
    """An empty folder on the worker's machine; whoever stores the checkpoint deletes it."""
    return Path(tempfile.mkdtemp(prefix=_prefix(job, rank)))


def clear_scratch(job: LevelJob, rank: int) -> None:
    """Delete the folders of an earlier worker of this rank: a kill leaves a whole model and its optimiser behind."""
    for left in Path(tempfile.gettempdir()).glob(f"{_prefix(job, rank)}*"):
        shutil.rmtree(left, ignore_errors=True)


def _prefix(job: LevelJob, rank: int) -> str:
    run = hashlib.sha256(str(job.checkpoints_dir).encode()).hexdigest()[:12]
    return f"nested-ray-checkpoint-{run}-{job.level.name}-{rank}-"
