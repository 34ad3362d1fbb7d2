"""Run directories: what a run has finished, so that the same command goes on after any kill."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nested_ray.config.train import TrainConfig
from nested_ray.errors import TrainingError


@dataclass(frozen=True)
class RunDir:
    """`<home>/runs/<name>-<number>/` and the lock that keeps a second process out of it."""

    path: Path
    run_id: str
    unique_id: str
    """The same for every attempt at this run, and for no other run anywhere."""
    resumed: bool
    lock: IO[str]

    def stage(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder of one finished stage, made now unless an earlier attempt finished it.

        `make` receives an empty folder beside the final one; the rename is what finishes a stage.
        """
        final = self.path / name
        if final.exists():
            return final
        aside = self.path / f".{name}.unfinished"
        remove_tree(aside)
        aside.mkdir()
        make(aside)
        aside.rename(final)
        sync_folder(self.path)
        return final

    def finish(self, version: int) -> None:
        """Record the published version; the next start of this name begins a new run."""
        write_json(self.path / "finished.json", {"version": version})

    def close(self) -> None:
        """Let another process have the run."""
        self.lock.close()


def open_run(home: Path, config: TrainConfig, *, solo: bool, fresh: bool) -> RunDir:
    """The newest unfinished run of this name and config, or a new one.

    Raises TrainingError when another process is working on it.
    """
    runs = home / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    name = f"{config.name}-solo" if solo else config.name
    digest = config_digest(config)
    newest = newest_number(runs, name)
    if newest and not fresh:
        path = runs / f"{name}-{newest}"
        if is_resumable(path, digest):
            return enter_run(path, resumed=True)
    path = runs / f"{name}-{newest + 1}"
    path.mkdir()
    write_json(path / "config.json", config.model_dump(mode="json"))
    unique_id = f"{path.name}-{uuid.uuid4().hex[:12]}"
    write_json(path / "run.json", {"config_digest": digest, "unique_id": unique_id})
    return enter_run(path, resumed=False)


def enter_run(path: Path, *, resumed: bool) -> RunDir:
    """Lock a started run for this process."""
    lock = lock_run(path)
    facts = json.loads((path / "run.json").read_text(encoding="utf-8"))
    return RunDir(path, path.name, facts["unique_id"], resumed, lock)


def config_digest(config: TrainConfig) -> str:
    """sha256 of the resolved config, hex."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()


def newest_number(runs: Path, name: str) -> int:
    """The highest N of `<name>-N`; 0 when there is none."""
    numbers = (path.name.removeprefix(f"{name}-") for path in runs.glob(f"{name}-*"))
    return max((int(number) for number in numbers if number.isdigit()), default=0)


def is_resumable(path: Path, digest: str) -> bool:
    """Unfinished, and started with the same config."""
    if (path / "finished.json").exists():
        return False
    try:
        started_with = json.loads((path / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return started_with.get("config_digest") == digest


def lock_run(path: Path) -> IO[str]:
    """Hold the run for this process; the kernel lets go when the process ends, however it ends."""
    lock = (path / "lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise TrainingError(
            f"run {path.name} is being trained by process {holder}; wait for it, or start another with --fresh"
        ) from exc
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def write_json(path: Path, values: object) -> None:
    """Write aside, fsync, rename: a crash leaves the old file or the new one."""
    aside = path.with_name(f".{path.name}.unfinished")
    with aside.open("w", encoding="utf-8") as file:
        json.dump(values, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(path: Path) -> None:
    """Delete a folder if it is there."""
    import shutil

    shutil.rmtree(path, ignore_errors=True)
