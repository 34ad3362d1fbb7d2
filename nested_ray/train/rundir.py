"""Run directories: what a run has finished, so that the same command goes on after any kill."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from nested_ray.config.train import TrainConfig
from nested_ray.errors import TrainingError
from nested_ray.files import sync, write_json

CHANGEABLE: Any = {
    "max_failures": True,
    "evaluation": True,
    "review": True,
    "checkpoints": True,
    "distill": {"record"},
    "levels": {
        "__all__": {
            "budget": {"num_workers", "sharding", "use_gpu", "checkpoint_every_steps", "max_steps"}
        }
    },
}
"""Settings that may differ when a run goes on: what it has learned so far stays right."""

DEPENDENT = ("fit.json", "nest")
"""What a run keeps that depends on those settings: the training's report, the evaluated nest."""


@dataclass(frozen=True)
class RunDir:
    """`<home>/runs/<name>-<number>/` and the lock that keeps a second process out of it."""

    path: Path
    run_id: str
    unique_id: str
    """The same for every attempt at this run with equal settings, and for nothing else anywhere."""
    resumed: bool
    lock: IO[str]
    note: str = ""
    """What whoever started it should know, such as an unfinished run that was passed over."""

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
        sync(self.path)
        return final

    def finish(self, version: int) -> None:
        """Record the published version; the next start of this name begins a new run."""
        write_json(self.path / "finished.json", {"version": version})

    def close(self) -> None:
        """Let another process have the run."""
        self.lock.close()


def open_run(home: Path, config: TrainConfig, *, solo: bool, fresh: bool) -> RunDir:
    """The newest unfinished run of this name and these settings, or a new one.

    Settings that do not change what was learned so far may differ (CHANGEABLE).
    Raises TrainingError when another process is working on the run or it cannot be written.
    """
    name = f"{config.name}-solo" if solo else config.name
    runs = home / "runs"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with alone(runs):
            return choose_run(runs, name, config, fresh=fresh)
    except OSError as exc:
        raise TrainingError(
            f"cannot write a run below {runs}: {exc.strerror or exc}; "
            "make it writable, or set NESTED_RAY_HOME to a folder that is"
        ) from exc


@contextmanager
def alone(runs: Path) -> Iterator[None]:
    """One process at a time chooses its run."""
    with (runs / ".lock").open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def choose_run(runs: Path, name: str, config: TrainConfig, *, fresh: bool) -> RunDir:
    newest, note = newest_number(runs, name), ""
    if newest and not fresh:
        path = runs / f"{name}-{newest}"
        if is_resumable(path, config):
            return go_on(path, config)
        if (path / "run.json").exists() and not (path / "finished.json").exists():
            note = (
                f"{path.name} is unfinished and has other settings "
                f"({listed(changed_settings(path, config)) or 'of another release'}): "
                "a new run begins; with its own settings that one goes on"
            )
    return begin(runs / f"{name}-{newest + 1}", config, note)


def begin(path: Path, config: TrainConfig, note: str = "") -> RunDir:
    path.mkdir()
    lock = lock_run(path)
    unique_id = write_facts(path, config)
    return RunDir(path, path.name, unique_id, resumed=False, lock=lock, note=note)


def go_on(path: Path, config: TrainConfig) -> RunDir:
    """Lock a started run; what was made with settings that have changed since is made again."""
    lock = lock_run(path)
    unique_id = read_facts(path)["unique_id"]
    changed = changed_settings(path, config)
    if not changed:
        return RunDir(path, path.name, unique_id, resumed=True, lock=lock)
    for name in DEPENDENT:
        remove(path / name)
    # A new id: the registry may know what was published under the old one. The config comes last,
    # so that a crash before it only does all of this once more.
    unique_id = write_facts(path, config)
    note = f"changed since {path.name} was last started: {listed(changed)}"
    return RunDir(path, path.name, unique_id, resumed=True, lock=lock, note=note)


def write_facts(path: Path, config: TrainConfig) -> str:
    """Record the settings of a run; gives its new unique id."""
    unique_id = f"{path.name}-{uuid.uuid4().hex[:12]}"
    facts = {"config_digest": config_digest(config), "unique_id": unique_id}
    write_json(path / "run.json", facts)
    write_json(path / "config.json", config.model_dump(mode="json"))
    return unique_id


def read_facts(path: Path) -> dict[str, str]:
    return json.loads((path / "run.json").read_text(encoding="utf-8"))


def config_digest(config: TrainConfig) -> str:
    """sha256 of the settings that decide what a run learns, hex."""
    return hashlib.sha256(config.model_dump_json(exclude=CHANGEABLE).encode()).hexdigest()


def changed_settings(path: Path, config: TrainConfig) -> list[str]:
    """Dotted keys whose values differ from those that a run was last given."""
    try:
        before = flatten(json.loads((path / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        before = {}
    now = flatten(config.model_dump(mode="json"))
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def listed(keys: list[str], most: int = 5) -> str:
    """The keys for a sentence."""
    more = f" and {len(keys) - most} more" if len(keys) > most else ""
    return ", ".join(keys[:most]) + more


def flatten(values: Any, prefix: str = "") -> dict[str, Any]:
    """`{"a": [{"b": 1}]}` as `{"a.0.b": 1}`."""
    if not isinstance(values, dict | list):
        return {prefix: values}
    items = values.items() if isinstance(values, dict) else enumerate(values)
    leaves: dict[str, Any] = {}
    for key, value in items:
        leaves |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return leaves


def newest_number(runs: Path, name: str) -> int:
    """The highest N of `<name>-N`; 0 when there is none."""
    numbers = (path.name.removeprefix(f"{name}-") for path in runs.glob(f"{name}-*"))
    return max((int(number) for number in numbers if number.isdigit()), default=0)


def is_resumable(path: Path, config: TrainConfig) -> bool:
    """Unfinished, and started with settings that learn the same."""
    return not (path / "finished.json").exists() and learns_the_same(path, config)


def has_sibling(path: Path, config: TrainConfig) -> bool:
    """Whether another run of this name on this machine has settings that learn the same."""
    runs = path.parent.glob(f"{path.name.rpartition('-')[0]}-*")
    return any(each != path and learns_the_same(each, config) for each in runs)


def learns_the_same(path: Path, config: TrainConfig) -> bool:
    """Whether a run was started with settings that learn the same."""
    try:
        return read_facts(path).get("config_digest") == config_digest(config)
    except (OSError, ValueError):
        return False


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


def remove_tree(path: Path) -> None:
    """Delete a folder if it is there."""
    shutil.rmtree(path, ignore_errors=True)


def remove(path: Path) -> None:
    """Delete a file or a folder if it is there; a folder leaves its name first, whole."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    aside = path.with_name(f".{path.name}.unfinished")
    remove_tree(aside)
    path.rename(aside)
    remove_tree(aside)
