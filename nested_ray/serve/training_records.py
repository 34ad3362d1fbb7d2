"""Sessions at rest: one small JSON each, so that they outlive the replica that started them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from nested_ray.api.training import Sample
from nested_ray.config.train import TrainConfig
from nested_ray.errors import InvalidRequest, StorageUnavailable
from nested_ray.files import write_json, write_text

logger = logging.getLogger(__name__)

RECORD_FILE = "session.json"
CONFIG_FILE = "config.yaml"
CORPUS_FOLDER = "corpus"

Phase = Literal["queued", "submitted", "finished", "failed", "cancelled"]
UNDER_WAY = ("queued", "submitted")


@dataclass(frozen=True)
class LevelPlan:
    """What of a level's settings its progress is told by."""

    name: str
    focus: str
    weight: float
    max_steps: int


@dataclass(frozen=True)
class SessionRecord:
    """What is known of a session without asking Ray; times are seconds since 1970."""

    id: str
    train_config: str
    nest: str
    levels: tuple[LevelPlan, ...]
    created_at: float
    phase: Phase = "queued"
    attempt: int = 0
    """Counts the jobs submitted for it."""
    is_cancelling: bool = False
    started_at: float | None = None
    """Of the present attempt."""
    ended_at: float | None = None
    version: int | None = None
    error: str | None = None
    log: tuple[str, ...] = ()
    """The last lines of an attempt that has ended."""
    seconds_per_step: dict[str, float] | None = None
    """By level, as measured at its end."""

    @property
    def job_id(self) -> str:
        return f"{self.id}-{self.attempt}"

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SessionRecord:
        levels = tuple(LevelPlan(**level) for level in values["levels"])
        return cls(**{**values, "levels": levels, "log": tuple(values["log"])})


class SessionFolder:
    """`<home>/training/<id>/`: the record, the config as it is run, and the code that was sent."""

    def __init__(self, home: Path) -> None:
        self._root = home / "training"

    def config_path(self, session: str) -> Path:
        return self._root / session / CONFIG_FILE

    def corpus_path(self, session: str) -> Path:
        return self._root / session / CORPUS_FOLDER

    def create(
        self, record: SessionRecord, config: TrainConfig, dataset: tuple[Sample, ...] | None
    ) -> None:
        """Write a new session; the record comes last, so that half a session is none."""
        try:
            for sample in dataset or ():
                path = self.corpus_path(record.id) / sample.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(sample.text, encoding="utf-8", newline="")
            values = config.model_dump(mode="json")
            write_text(self.config_path(record.id), yaml.safe_dump(values, allow_unicode=True))
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as exc:
            raise InvalidRequest("dataset: a path is both a file and a folder") from exc
        except OSError as exc:
            raise self._unwritable(exc) from exc
        self.save(record)

    def save(self, record: SessionRecord) -> None:
        """Raises StorageUnavailable where it cannot be written."""
        try:
            write_json(self._root / record.id / RECORD_FILE, asdict(record))
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def load(self, known: set[str]) -> Iterator[SessionRecord]:
        """Sessions at rest that are not among the known ones; one that cannot be read is left out."""
        for path in sorted(self._root.glob(f"*/{RECORD_FILE}")):
            if path.parent.name in known:
                continue
            try:
                yield SessionRecord.from_dict(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError, KeyError) as exc:
                logger.warning("training session %s cannot be read: %s", path.parent.name, exc)

    def _unwritable(self, exc: OSError) -> StorageUnavailable:
        logger.error("cannot write a training session below %s: %s", self._root, exc)
        return StorageUnavailable(
            "the server cannot write training sessions; the operator finds the reason in its log"
        )
