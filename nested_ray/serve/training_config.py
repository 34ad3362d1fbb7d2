"""From a request to the train config of its session: an allowed file with what the request may change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nested_ray.api.training import LevelSettings, Sample, TrainRequest
from nested_ray.config.serve import TrainingServeConfig
from nested_ray.config.train import TrainConfig
from nested_ray.errors import ConfigError, InvalidRequest
from nested_ray.serve.limits import at_most

MAX_PART_BYTES = 200
"""Of one folder or file name; file systems take 255."""
MAX_PARTS = 32


def session_config(
    request: TrainRequest, settings: TrainingServeConfig, *, session: str, corpus: Path
) -> TrainConfig:
    """The complete config of one session. Raises InvalidRequest naming the field to change.

    The run is named after the session, so that its folder is known; `corpus` is where samples will lie.
    """
    base = allowed_config(request.train_config, settings.configs_dir)
    values: dict[str, Any] = base.model_dump(mode="json") | {"name": session}
    values["nest"] = allowed_nest(request.model, base.nest, settings)
    if request.dataset is not None:
        check_samples(request.dataset, settings.max_files)
        values["corpus"] |= {"sources": [{"type": "folder", "path": str(corpus)}]}
        values["corpus"]["filters"] |= {"include": [], "exclude": []}
    change_levels(values, request, settings)
    keep_levels(values, request.levels)
    try:
        return TrainConfig.from_values(values, source=f"train_config {request.train_config}")
    except ConfigError as exc:
        raise InvalidRequest(f"config: {' '.join(str(exc).split())}") from exc


def allowed_config(name: str, folder: str) -> TrainConfig:
    """The file of that name in the operator's folder; the name is looked up, never made into a path."""
    found = {path.stem: path for path in sorted(Path(folder).glob("*.yaml"))}
    if name not in found:
        allowed = ", ".join(found) or "none (training.configs_dir holds no *.yaml)"
        raise InvalidRequest(f"train_config: {name!r} is not allowed here; allowed are {allowed}")
    try:
        return TrainConfig.from_yaml(found[name])
    except ConfigError as exc:
        problem = " ".join(str(exc).replace(str(found[name]), found[name].name).split())
        raise InvalidRequest(f"train_config: the operator must repair {problem}") from exc


def allowed_nest(asked: str | None, own: str, settings: TrainingServeConfig) -> str:
    allowed = dict.fromkeys((own, *settings.nests))
    if asked is not None and asked not in allowed:
        raise InvalidRequest(
            f"model: {asked!r} may not be trained here; this config trains {', '.join(allowed)}"
        )
    return asked or own


def check_samples(samples: Sequence[Sample], max_files: int) -> None:
    """Raises InvalidRequest for too many, for a path that leaves its folder, and for one sent twice."""
    at_most("dataset", "samples", len(samples), max_files)
    seen: set[str] = set()
    for number, sample in enumerate(samples):
        where = f"dataset.{number}.path"
        check_path(sample.path, where)
        if sample.path in seen:
            raise InvalidRequest(f"{where}: {sample.path} was sent twice")
        seen.add(sample.path)
    for number, sample in enumerate(samples):
        for folder in folders_of(sample.path):
            if folder in seen:
                raise InvalidRequest(
                    f"dataset.{number}.path: {folder} was sent as a file, and here it is a folder"
                )


def folders_of(path: str) -> list[str]:
    """`a` and `a/b` of `a/b/c.py`."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def check_path(path: str, where: str) -> None:
    """Raises InvalidRequest unless it can only mean a plain file below the folder of its session."""
    parts = path.split("/")
    # A leading dot: `..`, and names such as .git that programs reading the folder would obey.
    is_strange = "\\" in path or any(not part or part.startswith(".") for part in parts)
    if is_strange or not path.isprintable():
        raise InvalidRequest(
            f"{where}: {path!r} is not a plain relative path; use forward slashes and names "
            "that do not start with a dot"
        )
    if len(parts) > MAX_PARTS or any(len(part.encode()) > MAX_PART_BYTES for part in parts):
        raise InvalidRequest(
            f"{where}: at most {MAX_PARTS} folders deep, {MAX_PART_BYTES} bytes a name"
        )


def change_levels(
    values: dict[str, Any], request: TrainRequest, settings: TrainingServeConfig
) -> None:
    """Put what the request says of each level into its settings."""
    levels = {level["name"]: level for level in values["levels"]}
    for name, asked in request.config.items():
        where = f"config.{name}"
        if name not in levels:
            raise InvalidRequest(f"{where}: there is no such level; there are {', '.join(levels)}")
        if request.levels is not None and name not in request.levels:
            raise InvalidRequest(f"{where}: the level is not among `levels`")
        at_most(f"{where}.max_steps", "steps", asked.max_steps or 1, settings.max_steps)
        at_most(f"{where}.batch_size", "examples", asked.batch_size or 1, settings.max_batch_size)
        change_level(levels[name], asked, where)


def change_level(level: dict[str, Any], asked: LevelSettings, where: str) -> None:
    if asked.focus is not None:
        level["kind"] = asked.focus
    if asked.weight is not None:
        level["weight"] = asked.weight
    if asked.max_steps is not None:
        level["budget"]["max_steps"] = asked.max_steps
    if asked.batch_size is not None:
        level["budget"]["micro_batch_size"] = asked.batch_size
    if asked.learning_rate is not None:
        if "peak" not in level["lr"]:
            raise InvalidRequest(f"{where}.learning_rate: this level finds its own; leave it out")
        level["lr"]["peak"] = asked.learning_rate


def keep_levels(values: dict[str, Any], names: Sequence[str] | None) -> None:
    """Leave the named levels, in the config's order, and what is said of them elsewhere."""
    if names is None:
        return
    known = [level["name"] for level in values["levels"]]
    for number, name in enumerate(names):
        if name not in known:
            raise InvalidRequest(f"levels.{number}: {name!r} is not one of {', '.join(known)}")
    values["levels"] = [level for level in values["levels"] if level["name"] in names]
    may_teach = {*names, *(level["name"] for level in values["remote_levels"])}
    teachers = values["distill"]["teachers"]
    values["distill"]["teachers"] = {
        student: [name for name in heard if name in may_teach]
        for student, heard in teachers.items()
        if student in names
    }
    frequencies = values["continual"]["update_every"]
    values["continual"]["update_every"] = {
        name: every for name, every in frequencies.items() if name in names
    }
    values["review"]["levels"] = [name for name in values["review"]["levels"] if name in names]
