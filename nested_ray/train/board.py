"""The progress board as a Ray actor, and the worker's end of it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.metrics import Gauge

from nested_ray.observability import metrics
from nested_ray.train.progress import LevelPlan, LevelProgress, ProgressBoard, WorkerProgress

logger = logging.getLogger(__name__)

REPORT_EVERY_S = 1.0
ANSWER_TIMEOUT_S = 10.0


class TrainingGauges:
    """A level's latest word, where Prometheus finds it at Ray's metrics port."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._gauges = {
            metric.name: Gauge(metric.name, description=metric.description, tag_keys=metric.tags)
            for metric in metrics.ALL
            if metric.kind == "gauge"
        }

    def show(self, level: LevelProgress) -> None:
        tags = {"run": self._run, "level": level.level}
        for metric, value in shown_values(level).items():
            if value is not None:
                self._gauges[metric.name].set(value, tags=tags)


def shown_values(level: LevelProgress) -> dict[metrics.Metric, float | None]:
    """What each gauge says of a level; None while that is not known."""
    return {
        metrics.TRAINING_PROGRESS: level.step / level.max_steps,
        metrics.LOSS: level.loss,
        metrics.ACCURACY: level.accuracy,
        metrics.TOKENS_PER_SECOND: level.tokens_per_second,
        metrics.TARGETS_PUBLISHED: level.targets_published,
        metrics.TARGETS_USED: level.targets_used,
        metrics.TARGETS_STALE: level.targets_stale,
        metrics.TARGETS_LOST: level.targets_lost,
        metrics.TRAINING_RESTARTS: level.num_restarts,
    }


class BoardActor:
    """Thin shell around ProgressBoard; async, so that waiting workers hold up nobody."""

    def __init__(self, plans: list[LevelPlan], run: str) -> None:
        self._board = ProgressBoard(plans)
        self._gauges = TrainingGauges(run)

    async def wait_for_start(self, level: str, rank: int, timeout_s: float) -> list[str]:
        """Return when every level's workers are here; after the timeout, name who is missing."""
        self._board.arrive(level, rank)
        deadline = time.monotonic() + timeout_s
        while not self._board.started and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        missing = [] if self._board.started else self._board.missing()
        self._board.started = True  # nobody waits a second time for a level that does not come
        return missing

    async def update(self, level: str, rank: int, progress: WorkerProgress) -> bool:
        cancelled = self._board.update(level, rank, progress)
        self._gauges.show(self._board.snapshot()[level])
        return cancelled

    async def note(self, level: str, text: str) -> None:
        self._board.note(level, text)

    async def snapshot(self) -> dict[str, LevelProgress]:
        return self._board.snapshot()

    async def cancel(self) -> None:
        self._board.cancelled = True


def start_board(name: str, namespace: str, plans: list[LevelPlan], *, run: str) -> Any:
    """Start the named actor; it ends with its handle's job."""
    actor = ray.remote(num_cpus=0, max_restarts=-1)(BoardActor)
    return actor.options(name=name, namespace=namespace).remote(plans, run)


class BoardClient:
    """Tells the board once a second how its worker is doing; learns when to stop."""

    def __init__(
        self,
        name: str,
        namespace: str,
        level: str,
        rank: int,
        *,
        measure: Callable[[], WorkerProgress],
    ) -> None:
        self._name, self._namespace, self._level, self._rank = name, namespace, level, rank
        self._measure = measure
        self.cancelled = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def wait_for_start(self, timeout_s: float) -> None:
        """Start with the other levels; a board that does not answer holds nobody back."""
        try:
            call = self._actor().wait_for_start.remote(self._level, self._rank, timeout_s)
            missing = ray.get(call, timeout=timeout_s + ANSWER_TIMEOUT_S)
        except (RayError, ValueError) as exc:
            logger.warning("%s starts without the others: %s", self._level, exc)
            missing = []
        if missing:
            logger.warning(
                "%s waited %.0f s for %s to be placed and starts without; "
                "the cluster may have too few free CPUs or GPUs",
                self._level,
                timeout_s,
                ", ".join(missing),
            )
        self._thread.start()

    def note(self, text: str) -> None:
        """A sentence for whoever watches the run; nothing waits for its arrival."""
        try:
            self._actor().note.remote(self._level, text)
        except (RayError, ValueError) as exc:
            logger.debug("the progress board does not answer: %s", exc)

    def close(self) -> None:
        """Send the last word and end the thread."""
        self._closing.set()
        self._thread.join(2 * ANSWER_TIMEOUT_S)

    def _run(self) -> None:
        while not self._closing.wait(REPORT_EVERY_S):
            self._tell()
        self._tell()

    def _tell(self) -> None:
        try:
            call = self._actor().update.remote(self._level, self._rank, self._measure())
            self.cancelled = ray.get(call, timeout=ANSWER_TIMEOUT_S)
        except (RayError, ValueError) as exc:
            logger.debug("the progress board does not answer: %s", exc)

    def _actor(self) -> Any:
        return ray.get_actor(self._name, namespace=self._namespace)
