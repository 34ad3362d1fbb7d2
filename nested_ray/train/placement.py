"""Watches for levels without a place on the cluster: says so in words, and gives up those that can never have one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import ray
from ray.util import placement_group_table

from nested_ray.errors import LevelFailed
from nested_ray.train.progress import LevelProgress, ProgressSnapshot
from nested_ray.train.runs import LevelRun

SAY_AFTER_S = 20.0
"""A level that makes no step for so long is asked after; starting its processes takes about as long."""

Amounts = Mapping[str, float]


@dataclass(frozen=True)
class Room:
    """What the cluster has, and what is asked of it in vain."""

    total: Amounts
    free: Amounts
    pending: tuple[tuple[Amounts, ...], ...]
    """Placement groups that wait: what each of their bundles asks for."""

    @classmethod
    def read(cls) -> Room:
        groups = placement_group_table().values()
        return cls(
            total=ray.cluster_resources(),
            free=ray.available_resources(),
            pending=tuple(
                tuple(group["bundles"].values())
                for group in groups
                if group["state"] in ("PENDING", "RESCHEDULING")
            ),
        )


class PlacementWatchdog:
    """Gives up levels that the cluster, even empty, is too small for.

    Ray Train itself retries for ever. A level that only waits for others to free their share waits
    on, and a growing cluster has `timeout_s` to grow.
    """

    def __init__(
        self,
        timeout_s: float,
        *,
        say_after_s: float = SAY_AFTER_S,
        read_room: Callable[[], Room] = Room.read,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout_s, self._say_after_s = timeout_s, say_after_s
        self._read_room, self._clock = read_room, clock
        self._moved: dict[str, tuple[int, float]] = {}
        """By level: the step it stands at, and since when."""
        self._too_small_since: dict[str, float] = {}

    def look(self, runs: Sequence[LevelRun], snapshot: ProgressSnapshot) -> ProgressSnapshot:
        """The snapshot with a sentence about every level that waits for a place."""
        levels = dict(snapshot)
        for run in runs:
            name = run.job.level.name
            if sentence := self._sentence(run, snapshot[name]):
                levels[name] = replace(levels[name], notes=(*levels[name].notes, sentence))
        return levels

    def _sentence(self, run: LevelRun, level: LevelProgress) -> str:
        waited_s = self._waited(level)
        if level.state != "waiting" and waited_s < self._say_after_s:
            self._too_small_since.pop(level.level, None)
            return ""
        room = self._read_room()
        if not (lacking := lacking_for(run, room.total)):
            self._too_small_since.pop(level.level, None)
            return waiting_for(run, room) if waited_s >= self._say_after_s else ""
        since = self._too_small_since.setdefault(level.level, self._clock())
        if self._clock() - since > self._timeout_s:
            run.error = LevelFailed(
                f"the cluster has no place for it even when empty ({lacking}); "
                "add nodes or lower num_workers"
            )
        if self._clock() - since < min(self._say_after_s, self._timeout_s / 2):
            return ""
        return (
            f"{level.level} has no place: the whole cluster is too small for it ({lacking}). Add nodes, or stop and "
            f"change its budget.num_workers or budget.use_gpu; it is given up after {self._timeout_s:.0f} s, "
            "and the other levels train on"
        )

    def _waited(self, level: LevelProgress) -> float:
        """For how long it has stood at its step."""
        step, since = self._moved.get(level.level, (-1, 0.0))
        if step != level.step:
            since = self._clock()
            self._moved[level.level] = (level.step, since)
        return self._clock() - since


def lacking_for(run: LevelRun, total: Amounts) -> str:
    """What the whole cluster lacks for a run: `GPU: 1 asked for, 0 there`; empty when it fits."""
    num_workers = run.job.level.budget.num_workers
    return ", ".join(
        f"{name}: {amount * num_workers:g} asked for, {total.get(name, 0):g} there"
        for name, amount in run.resources.items()
        if total.get(name, 0) < amount * num_workers
    )


def waiting_for(run: LevelRun, room: Room) -> str:
    """A sentence when Ray has a request like the run's and no place for it; else nothing."""
    num_workers = run.job.level.budget.num_workers
    if tuple([run.resources] * num_workers) not in room.pending:
        return ""
    asked = ", ".join(f"{amount:g} {name}" for name, amount in run.resources.items())
    free = ", ".join(f"{room.free.get(name, 0):g} {name}" for name in run.resources)
    return (
        f"{run.job.level.name} waits for a place: {num_workers} x ({asked}) asked for, {free} free in the whole "
        "cluster. It goes on when another level has ended or a node is added"
    )
