"""Three Ray Train runs at once, one exchange between them: jobs → models and a report."""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from nested_ray.config.train import TrainConfig
from nested_ray.datasets.loader import Replay
from nested_ray.distill.exchange import ExchangeReport
from nested_ray.distill.ray_exchange import read_report, start_exchange
from nested_ray.errors import LevelFailed
from nested_ray.train.board import start_board
from nested_ray.train.fitted import FitReport, level_fit
from nested_ray.train.job import level_jobs
from nested_ray.train.mending import mend
from nested_ray.train.placement import PlacementWatchdog
from nested_ray.train.progress import LevelPlan, LevelProgress, ProgressSnapshot
from nested_ray.train.remote_runs import remote_teachers
from nested_ray.train.runs import LevelRun, level_runs

logger = logging.getLogger(__name__)

NAMESPACE = "nested-ray-train"
LOOK_EVERY_S = 0.5
CANCEL_TIMEOUT_S = 30.0


def fit_levels(
    config: TrainConfig,
    *,
    datasets: Mapping[str, Path],
    tokenizer_hash: str,
    vocab_size: int,
    pad_id: int = 0,
    always_ids: tuple[int, ...] = (),
    start_models: Mapping[str, Path] | None = None,
    replay: Replay | None = None,
    run_dir: Path,
    tokenizer_file: Path | None = None,
    solo: bool = False,
    placement_timeout_s: float = 180.0,
    on_progress: Callable[[ProgressSnapshot], None] = lambda snapshot: None,
) -> FitReport:
    """Train all levels side by side; a run with the same `run_dir` goes on where it stood.

    `datasets` maps each level to the folder of its training split, `start_models` each level that
    does not start from random weights to the folder of its model; `replay` says which rows are old.
    Remote levels need `tokenizer_file`; they teach as long as the others train.
    Ray must be initialised; on a
    cluster of several machines `run_dir` and the datasets lie on storage that all of them see.
    Levels wait `placement_timeout_s` for each other to be placed and then start without the missing
    ones; a level that the whole cluster is too small for is given up after that time.
    Raises LevelFailed, after the other levels have ended, naming every level that did not make it.
    """
    started = time.monotonic()
    _prepare_environment()
    with _shared_actors(config, solo) as actors:
        jobs = level_jobs(
            config,
            dataset_dirs={name: str(Path(path).resolve()) for name, path in datasets.items()},
            tokenizer_hash=tokenizer_hash,
            vocab_size=vocab_size,
            pad_id=pad_id,
            always_ids=always_ids,
            start_models={
                name: str(Path(path).resolve()) for name, path in (start_models or {}).items()
            },
            replay=replay,
            placement_timeout_s=placement_timeout_s,
            exchange_actor=actors.exchange_name,
            board_actor=actors.board_name,
            namespace=NAMESPACE,
        )
        runs = level_runs(config, jobs, Path(run_dir).resolve() / "ray")
        _mend_all(runs, actors.board)
        with remote_teachers(
            config,
            jobs[-1],
            tokenizer_file=tokenizer_file,
            exchange_name=actors.exchange_name,
            namespace=NAMESPACE,
            folder=Path(run_dir),
        ) as remote:
            notes = _run_all(runs, actors.board, placement_timeout_s, on_progress)
        exchange = read_report(actors.exchange) if actors.exchange else ExchangeReport()
    _raise_failures(runs)
    levels = {run.job.level.name: level_fit(run, Path(run_dir)) for run in runs}
    seconds = time.monotonic() - started
    return FitReport(levels, exchange, seconds, notes, {each.name: each.facts() for each in remote})


def _prepare_environment() -> None:
    """Ray Train reads these in this process, before `fit`."""
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.25")  # report() waits for it
    if len(ray.nodes()) == 1:  # one machine is not drained: spare an actor per level
        os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")


@dataclass(frozen=True)
class _Actors:
    """Board and exchange: workers find them by name; no exchange in a solo run."""

    board_name: str
    board: Any
    exchange_name: str | None
    exchange: Any


@contextmanager
def _shared_actors(config: TrainConfig, solo: bool) -> Iterator[_Actors]:
    """They end with the block."""
    suffix = uuid.uuid4().hex[:8]
    exchange_name = None if solo or not config.distill.enabled else f"exchange-{suffix}"
    board_name = f"board-{suffix}"
    plans = [
        LevelPlan(level.name, level.budget.num_workers, level.budget.max_steps)
        for level in config.levels
    ]
    board, exchange = start_board(board_name, NAMESPACE, plans, run=config.name), None
    if exchange_name is not None:
        exchange = start_exchange(exchange_name, NAMESPACE, config.distill.keep_records)
    try:
        yield _Actors(board_name, board, exchange_name, exchange)
    finally:
        for actor in filter(None, (board, exchange)):
            ray.kill(actor)


def _mend_all(runs: list[LevelRun], board: Any) -> None:
    """Make what an earlier attempt left usable, and say so where progress is watched."""
    for run in runs:
        for note in mend(run.storage / run.job.level.name):
            logger.warning("%s: %s", run.job.level.name, note)
            board.note.remote(run.job.level.name, note)


def _run_all(
    runs: list[LevelRun],
    board: Any,
    placement_timeout_s: float,
    on_progress: Callable[[ProgressSnapshot], None],
) -> tuple[str, ...]:
    """Start every run and watch until each has ended; Ctrl-C stops them all first. Returns the levels' notes."""
    for run in runs:
        run.start()
    notes: dict[str, None] = {}
    watchdog = PlacementWatchdog(placement_timeout_s)

    def look() -> None:
        if snapshot := _look(board):
            notes.update(dict.fromkeys(note for level in snapshot.values() for note in level.notes))
            on_progress(watchdog.look([run for run in runs if run.active], snapshot))

    try:
        while any(run.active for run in runs):
            time.sleep(LOOK_EVERY_S)
            look()
        look()
    except BaseException:
        _cancel(runs, board)
        raise
    return tuple(notes)


def _look(board: Any) -> dict[str, LevelProgress] | None:
    try:
        return ray.get(board.snapshot.remote(), timeout=5)
    except RayError as exc:
        logger.debug("the progress board does not answer: %s", exc)
        return None


def _cancel(runs: list[LevelRun], board: Any) -> None:
    """Ask every worker to stop and save after its step, and wait for the runs to end."""
    logger.info("stopping the levels; the run goes on from here when started again")
    try:
        ray.get(board.cancel.remote(), timeout=5)
    except RayError as exc:
        logger.warning("the progress board does not answer: %s", exc)
        return
    deadline = time.monotonic() + CANCEL_TIMEOUT_S
    for run in runs:
        run.thread.join(max(0.0, deadline - time.monotonic()))


def _raise_failures(runs: list[LevelRun]) -> None:
    failed = [run for run in runs if run.error is not None]
    if not failed:
        return
    sentences = [f"{run.job.level.name}: {_last_line(run.error)}" for run in failed]
    others = [run.job.level.name for run in runs if run.error is None]
    finished = f"; {', '.join(others)} finished and is kept" if others else ""
    raise LevelFailed(
        f"training of {', '.join(run.job.level.name for run in failed)} failed{finished}. "
        f"{'. '.join(sentences)}. Run the same command again to go on from the last checkpoint"
    ) from failed[0].error


def _last_line(error: BaseException | None) -> str:
    """The root cause at the end of a Ray error, which carries whole tracebacks."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
