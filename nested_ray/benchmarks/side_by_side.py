"""Levels trained side by side beside each of them alone, through Ray: wall clock, start-up and memory.

A level alone has all cores to itself, as the levels of one run share them: the walls of the levels
alone add up to what the same work takes one after the other on the same machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from nested_ray.checkpoints.store import MODEL_FILES
from nested_ray.config.train import TrainConfig
from nested_ray.train.fitted import FitReport
from nested_ray.train.prepare import Prepared
from nested_ray.train.progress import ProgressSnapshot
from nested_ray.train.run import fit_prepared

MEMORY_EVERY_S = 2.0

OnRun = Callable[[int, int, str], None]
"""Called before each run with runs done, runs in all and what is trained."""


@dataclass(frozen=True)
class Walls:
    """One training through Ray, from the call until its models lie in the run folder."""

    levels: tuple[str, ...]
    start_s: float
    """Until the last level had made its first step; seen to half a second."""
    training_s: float
    """From then on until the last level's last step, its checkpoint included."""
    extra_bytes: int
    """Most memory that this process and its children held beyond what they held before (PSS)."""
    weights_bytes: int
    """Of the models' files, all levels together."""

    @property
    def overhead_bytes(self) -> int:
        """Memory beyond the weights: processes, gradients, optimisers, activations."""
        return self.extra_bytes - self.weights_bytes


@dataclass(frozen=True)
class SideBySide:
    """All levels at once, and one by one."""

    together: Walls
    alone: tuple[Walls, ...]

    @property
    def of_the_sum(self) -> float:
        """Wall clock of the training over that of all levels one after the other."""
        return self.together.training_s / sum(walls.training_s for walls in self.alone)

    @property
    def of_the_slowest(self) -> float:
        """Wall clock of the training over that of the level that takes longest alone."""
        return self.together.training_s / max(walls.training_s for walls in self.alone)


def compare_walls(
    config: TrainConfig,
    prepared: Prepared,
    folder: Path,
    on_run: OnRun = lambda done, total, name: None,
) -> SideBySide:
    """Train everything twice below `folder`: together, then level by level. Ray must be initialised."""
    names = [level.name for level in config.levels]
    total = 1 + len(names)
    on_run(0, total, ", ".join(names))
    together = watch_fit(config, prepared, folder / "together")
    alone = []
    for number, level in enumerate(config.levels, start=1):
        on_run(number, total, f"{level.name} alone")
        single = config.model_copy(update={"levels": (level,)})
        alone.append(watch_fit(single, prepared, folder / f"alone-{level.name}", solo=True))
    return SideBySide(together, tuple(alone))


def watch_fit(
    config: TrainConfig, prepared: Prepared, run_dir: Path, *, solo: bool = False
) -> Walls:
    """One training, timed as whoever waits for it sees it."""
    names = tuple(level.name for level in config.levels)
    watch = Watch(len(names))
    fit = fit_prepared(config, prepared, run_dir, solo=solo, on_progress=watch.look)
    elapsed = time.monotonic() - watch.started
    start_s = watch.start_s if watch.start_s is not None else elapsed
    return Walls(names, start_s, elapsed - start_s, watch.extra_bytes, weights_of(fit))


@dataclass
class Watch:
    """Looks at a training now and then."""

    num_levels: int
    started: float = field(default_factory=time.monotonic)
    start_s: float | None = None
    extra_bytes: int = 0
    _before: int = field(default_factory=lambda: memory_of_tree())
    _next_look: float = 0.0

    def look(self, snapshot: ProgressSnapshot) -> None:
        elapsed = time.monotonic() - self.started
        begun = sum(level.step > 0 for level in snapshot.values())
        if self.start_s is None and begun == self.num_levels:
            self.start_s = elapsed
        if elapsed >= self._next_look:  # reading it costs processor time that the levels need
            self._next_look = elapsed + MEMORY_EVERY_S
            self.extra_bytes = max(self.extra_bytes, memory_of_tree() - self._before)


def memory_of_tree() -> int:
    """Bytes of this process and all its children, what they share counted once (PSS)."""
    own = psutil.Process()
    return sum(memory_of(process) for process in (own, *own.children(recursive=True)))


def memory_of(process: psutil.Process) -> int:
    try:
        facts = process.memory_full_info()
    except psutil.Error:  # it has ended meanwhile
        return 0
    return getattr(facts, "pss", facts.uss)  # only Linux shares the shared


def weights_of(fit: FitReport) -> int:
    """Bytes of the models' files."""
    weights = MODEL_FILES[-1]
    return sum((level.model_dir / weights).stat().st_size for level in fit.levels.values())


def to_markdown(result: SideBySide) -> str:
    """One row per training, and the ratios below."""
    lines = [
        "| trained | to the first step of all s | training s | memory beyond before GB | weights GB |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {', '.join(walls.levels)} | {walls.start_s:.1f} | {walls.training_s:.1f} "
        f"| {walls.extra_bytes / 1e9:.2f} | {walls.weights_bytes / 1e9:.2f} |"
        for walls in (result.together, *result.alone)
    ]
    lines += [
        "",
        f"Together over one after the other: {result.of_the_sum:.2f}; "
        f"over the slowest alone: {result.of_the_slowest:.2f}.",
    ]
    return "\n".join(lines) + "\n"
