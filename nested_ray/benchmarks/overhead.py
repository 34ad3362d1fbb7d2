"""What the exchange adds to a step: the same batches with it and without, in turns, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset

from nested_ray.benchmarks.measured import Batches, MeasuredTrainer
from nested_ray.benchmarks.setting import start_decoder
from nested_ray.benchmarks.together import progress
from nested_ray.distill.exchange import Exchange
from nested_ray.train.job import LevelJob

OnStep = Callable[[int, int], None]
ExchangeOf = Callable[[str], Exchange]
"""A level's own end of the exchange, by its name."""


@dataclass(frozen=True)
class StepTimes:
    """One level's steps, in processor seconds."""

    level: str
    on: tuple[float, ...]
    off: tuple[float, ...]
    """The same step on the same batch by a twin without exchange."""
    exchange_s: float
    """Of `on`: reading, decoding, encoding and publishing."""
    targets_used: int

    @property
    def added(self) -> np.ndarray:
        """Per step, what the exchange added, over the median step without it."""
        return (np.array(self.on) - np.array(self.off)) / float(np.median(self.off))

    @property
    def mean_added(self) -> float:
        """Over all steps together: what a run takes longer."""
        return sum(self.on) / sum(self.off) - 1

    @property
    def exchange_share(self) -> float:
        """Of the exchange's own work in all the time, distillation not counted."""
        return self.exchange_s / sum(self.on)


def measure_overhead(
    jobs: Sequence[LevelJob],
    datasets: dict[str, Dataset],
    dtypes: dict[str, torch.dtype],
    exchange_of: ExchangeOf,
    *,
    steps: int,
    warmup_steps: int = 2,
    on_step: OnStep = lambda done, total: None,
) -> list[StepTimes]:
    """Every level makes `steps` steps with its peers, each followed or preceded by its twin's.

    There is no burn-in, so every paired step exchanges: more than a run as configured would.
    """
    twins = [
        Twins(job, datasets, dtypes, exchange_of(job.level.name))
        for job in (at_once(job, steps) for job in jobs)
    ]
    total = steps * len(twins)
    for done in range(total):
        pair = min((each for each in twins if not each.on.done), key=lambda each: progress(each.on))
        pair.make_step()
        on_step(done + 1, total)
    return [pair.times(warmup_steps) for pair in twins]


def at_once(job: LevelJob, steps: int) -> LevelJob:
    """The level's job with that many steps and an exchange from the first one on."""
    budget = job.level.budget.model_copy(update={"max_steps": steps})
    distill = job.distill.model_copy(update={"burn_in_steps": 0, "ramp_steps": 0})
    level = job.level.model_copy(update={"budget": budget})
    return job.model_copy(update={"level": level, "distill": distill})


class Twins:
    """A level with an exchange and one without that repeats its batches."""

    def __init__(
        self,
        job: LevelJob,
        datasets: dict[str, Dataset],
        dtypes: dict[str, torch.dtype],
        exchange: Exchange,
    ) -> None:
        name = job.level.name
        self.on, self.off = (
            MeasuredTrainer(
                job,
                decoder=start_decoder(job),
                dataset=datasets[name],
                dtype=dtypes[name],
                exchange=each,
                repeat=None if each else Batches((), ()),
            )
            for each in (exchange, None)
        )
        self._times: dict[bool, list[float]] = {True: [], False: []}

    def make_step(self) -> None:
        """One step with the exchange, and the same one without."""
        self._time(self.on, with_exchange=True)
        self.off.repeat = self.on.batches
        self._time(self.off, with_exchange=False)

    def times(self, warmup_steps: int) -> StepTimes:
        return StepTimes(
            self.on.job.level.name,
            on=tuple(self._times[True][warmup_steps:]),
            off=tuple(self._times[False][warmup_steps:]),
            exchange_s=self.on.clock.exchange,
            targets_used=self.on.counters.targets_used,
        )

    def _time(self, trainer: MeasuredTrainer, *, with_exchange: bool) -> None:
        started = time.process_time()
        trainer.make_step()
        self._times[with_exchange].append(time.process_time() - started)


def to_markdown(levels: Sequence[StepTimes], bytes_per_token: float) -> str:
    """One row per level; what is added is a share of the median step without exchange."""
    lines = [
        f"{len(levels[0].on)} steps per level, each with the exchange and without on the same batch; "
        f"processor time; {bytes_per_token:.0f} bytes per token.",
        "",
        "| level | step alone | added, p50 | added, p99 | all steps together "
        "| of it reading, encoding, publishing | targets used |",
        "|---|---|---|---|---|---|---|",
    ]
    for level in levels:
        median_ms = 1e3 * float(np.median(level.off))
        lines.append(
            f"| {level.level} | {median_ms:.0f} ms | {np.percentile(level.added, 50):+.1%} "
            f"| {np.percentile(level.added, 99):+.1%} | {level.mean_added:+.1%} "
            f"| {level.exchange_share:.1%} | {level.targets_used} |"
        )
    return "\n".join(lines) + "\n"
