"""The progress board: where every worker says how far it is, and where all of them start together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean


@dataclass(frozen=True)
class WorkerProgress:
    """What one worker of a level last said; counts are totals of the run."""

    step: int
    tokens_per_second: float
    """Over the last seconds."""
    seconds_per_step: float
    ce: float | None
    """Smoothed cross-entropy, nats per token."""
    kd: float | None
    """Smoothed distillation term before its factor; None until a peer was heard."""
    accuracy: float | None
    """Smoothed share of tokens that were predicted right."""
    lr: float
    """Of the last update."""
    tokens_seen: int
    targets_published: int
    targets_used: int
    targets_stale: int
    targets_lost: int
    targets_dropped: int
    pid: int
    first_step: int = 0
    """Where this process began: 0, or the step of the checkpoint that it goes on from."""
    cpu_seconds: float = 0.0
    """Processor time of this process."""


@dataclass(frozen=True)
class LevelProgress:
    """One level as a person follows it; sums over its workers."""

    level: str
    max_steps: int
    state: str
    """`waiting` for a place, `training` or `done`."""
    step: int = 0
    tokens_per_second: float = 0.0
    loss: float | None = None
    """Smoothed cross-entropy, nats per token."""
    kd: float | None = None
    accuracy: float | None = None
    lr: float | None = None
    tokens_seen: int = 0
    targets_published: int = 0
    targets_used: int = 0
    targets_stale: int = 0
    targets_lost: int = 0
    targets_dropped: int = 0
    eta_s: float | None = None
    """None until the level has made a step."""
    num_restarts: int = 0
    """How often its workers came back after a failure."""
    pids: tuple[int, ...] = ()
    """Processes of its workers, by rank."""
    notes: tuple[str, ...] = ()
    """What went wrong and was mended, in sentences."""
    first_step: int = 0
    """Where these processes began: 0, or the step of the checkpoint that they go on from."""
    cpu_seconds: float = 0.0
    """Processor time of these processes."""


ProgressSnapshot = Mapping[str, LevelProgress]
"""Every level's progress by name, from the smallest level to the largest."""


@dataclass(frozen=True)
class LevelPlan:
    """What the board expects of one level."""

    level: str
    num_workers: int
    max_steps: int


@dataclass
class ProgressBoard:
    """Latest word of every worker. Plain state; `train/board.py` puts it into an actor."""

    plans: list[LevelPlan]
    cancelled: bool = False
    started: bool = False
    _workers: dict[str, dict[int, WorkerProgress | None]] = field(default_factory=dict)
    _arrivals: Counter[tuple[str, int]] = field(default_factory=Counter)
    _notes: dict[str, list[str]] = field(default_factory=dict)

    def arrive(self, level: str, rank: int) -> None:
        """A worker is ready to start, or back after a restart."""
        self._workers.setdefault(level, {}).setdefault(rank, None)
        self._arrivals[level, rank] += 1
        self.started = self.started or not self.missing()

    def missing(self) -> list[str]:
        """Levels with a worker that has not arrived."""
        return [
            plan.level
            for plan in self.plans
            if len(self._workers.get(plan.level, {})) < plan.num_workers
        ]

    def update(self, level: str, rank: int, progress: WorkerProgress) -> bool:
        """Note a worker's progress; the answer says whether it should stop."""
        self._workers.setdefault(level, {})[rank] = progress
        # Whoever trains has started: a board that was restarted must hold nobody back.
        self.started = True
        return self.cancelled

    def note(self, level: str, text: str) -> None:
        """Keep a sentence about a level for whoever watches; a restarted worker may say it again."""
        notes = self._notes.setdefault(level, [])
        if text not in notes:
            notes.append(text)

    def snapshot(self) -> dict[str, LevelProgress]:
        return {
            plan.level: replace(self._level(plan), notes=tuple(self._notes.get(plan.level, ())))
            for plan in self.plans
        }

    def _level(self, plan: LevelPlan) -> LevelProgress:
        arrived = self._workers.get(plan.level, {})
        workers = [worker for _, worker in sorted(arrived.items()) if worker is not None]
        if not workers:
            state = "waiting" if len(arrived) < plan.num_workers else "training"
            return LevelProgress(level=plan.level, max_steps=plan.max_steps, state=state)
        step = workers[0].step
        return LevelProgress(
            level=plan.level,
            max_steps=plan.max_steps,
            state="done" if step >= plan.max_steps else "training",
            step=step,
            tokens_per_second=sum(worker.tokens_per_second for worker in workers),
            loss=_mean([worker.ce for worker in workers]),
            kd=_mean([worker.kd for worker in workers]),
            accuracy=_mean([worker.accuracy for worker in workers]),
            lr=workers[0].lr,
            tokens_seen=sum(worker.tokens_seen for worker in workers),
            targets_published=sum(worker.targets_published for worker in workers),
            targets_used=sum(worker.targets_used for worker in workers),
            targets_stale=sum(worker.targets_stale for worker in workers),
            targets_lost=sum(worker.targets_lost for worker in workers),
            targets_dropped=sum(worker.targets_dropped for worker in workers),
            eta_s=max(0, plan.max_steps - step) * workers[0].seconds_per_step,
            num_restarts=max(0, self._arrivals[plan.level, 0] - 1),
            pids=tuple(worker.pid for worker in workers),
            first_step=workers[0].first_step,
            cpu_seconds=sum(worker.cpu_seconds for worker in workers),
        )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
