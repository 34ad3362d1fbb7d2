"""Where a level goes on: the newest of its checkpoints that is whole, the same one for all of its workers."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import ray.train
from ray.train.collective import broadcast_from_rank_zero

from nested_ray.checkpoints import Found, newest_whole
from nested_ray.train.job import LevelJob
from nested_ray.train.mending import checkpoint_folders

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """What one worker goes on from."""

    folder: Path | None = None
    """A verified checkpoint; None begins the level with its first weights."""
    known: bool = True
    """Whether Ray Train takes it for the newest one, too; what it does not know has to be reported again."""
    note: str = ""
    """What whoever watches the run should know; empty when all is well."""


def find_start(job: LevelJob) -> Start:
    """The newest whole checkpoint on disk, which Ray Train need not have heard of; rank 0 looks for all workers.

    Raises nothing for damaged ones. A level without a whole one begins anew: that costs its steps and harms
    nobody, since a level's early steps depend on no peer and peers judge its targets by their content.
    """
    context = ray.train.get_context()
    checkpoint = ray.train.get_checkpoint()
    newest = Path(checkpoint.path) if checkpoint else None
    found = Found(None, 0)
    if context.get_world_rank() == 0:
        found = newest_whole(_candidates(job, newest))
    folder = found.folder
    if context.get_world_size() > 1:
        path = broadcast_from_rank_zero(str(folder) if folder else None)
        folder = Path(path) if path else None
    note = describe(job.level.name, found)
    if note:
        logger.warning(note)
    return Start(folder, known=_same(folder, newest), note=note)


def describe(level: str, found: Found) -> str:
    """One line about damaged checkpoints; empty when there were none."""
    if not found.problems:
        return ""
    damage = "; ".join(found.problems)
    if found.folder is None:
        return f"none of {level}'s checkpoints is whole, so it begins anew at step 0: {damage}"
    return f"{level} goes on from step {found.step}, for a newer checkpoint is damaged: {damage}"


def _candidates(job: LevelJob, newest: Path | None) -> list[Path]:
    folders = checkpoint_folders(Path(job.checkpoints_dir)) if job.checkpoints_dir else []
    if newest is not None and newest.name not in {folder.name for folder in folders}:
        folders.append(newest)
    return folders


def _same(one: Path | None, other: Path | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.name == other.name
