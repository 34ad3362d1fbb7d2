"""The journal of a run: what every level did over time, as JSON lines and as TensorBoard files."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tensorboardX import SummaryWriter

from nested_ray.train.progress import LevelProgress, ProgressSnapshot

JOURNAL_FILE = "metrics.jsonl"
TENSORBOARD_FOLDER = "tensorboard"
CHARTED = (
    "loss",
    "kd",
    "accuracy",
    "lr",
    "tokens_per_second",
    "targets_published",
    "targets_used",
    "targets_stale",
    "targets_lost",
)
LEFT_OUT = ("eta_s", "max_steps", "notes")


class Journal:
    """Appends to `metrics.jsonl` and `tensorboard/<level>/` of a run folder; a run that goes on goes on here."""

    def __init__(self, run_dir: Path) -> None:
        self._folder = run_dir
        self._file: IO[str] = (run_dir / JOURNAL_FILE).open("a", encoding="utf-8")
        self._boards: dict[str, SummaryWriter] = {}
        self._seen: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def note(self, snapshot: ProgressSnapshot) -> None:
        """One line per level that has made a step since the last look."""
        now = time.time()
        for name, level in snapshot.items():
            if level.step and level.step != self._seen.get(name):
                self._seen[name] = level.step
                self._write(now, level)
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        for board in self._boards.values():
            board.close()

    def _write(self, now: float, level: LevelProgress) -> None:
        values = {name: value for name, value in asdict(level).items() if name not in LEFT_OUT}
        line = {"time": round(now, 3), **values}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        board = self._board(level.level)
        for name in CHARTED:
            if values[name] is not None:
                board.add_scalar(name, values[name], global_step=level.step, walltime=now)

    def _board(self, level: str) -> SummaryWriter:
        if level not in self._boards:
            folder = self._folder / TENSORBOARD_FOLDER / level
            self._boards[level] = SummaryWriter(str(folder), flush_secs=10)
        return self._boards[level]


def read_journal(run_dir: Path) -> dict[str, list[dict[str, Any]]]:
    """The lines by level in order of steps; of steps made twice after a restart, the later ones.

    A line cut off by a crash is left out; a run without a journal has none.
    """
    levels: dict[str, list[dict[str, Any]]] = {}
    for line in _lines(run_dir / JOURNAL_FILE):
        points = levels.setdefault(line["level"], [])
        while points and points[-1]["step"] >= line["step"]:
            points.pop()
        points.append(line)
    return levels


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and {"level", "step"} <= line.keys():
                yield line
