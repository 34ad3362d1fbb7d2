"""One level's Ray Train run in its thread, and what it asks of the cluster."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorDiedError
from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig

from nested_ray.config.train import TrainConfig
from nested_ray.train.controllers import LeanTorchTrainer
from nested_ray.train.job import LevelJob
from nested_ray.train.mending import mend
from nested_ray.train.worker import train_level

logger = logging.getLogger(__name__)


@dataclass
class LevelRun:
    """One level's Ray Train run in its thread."""

    job: LevelJob
    resources: dict[str, float]
    use_gpu: bool
    storage: Path
    max_failures: int
    result: Any = None
    error: BaseException | None = None
    seconds: float = 0.0
    thread: threading.Thread = field(init=False)

    def start(self) -> None:
        # A daemon: a level that never finds a place must not keep the process alive.
        name = f"fit-{self.job.level.name}"
        self.thread = threading.Thread(target=self._fit, name=name, daemon=True)
        self.thread.start()

    @property
    def active(self) -> bool:
        return self.thread.is_alive() and self.error is None

    def _fit(self) -> None:
        started = time.monotonic()
        try:
            self.result = self._fit_though_controllers_die()
        except BaseException as exc:  # one level's end must not take the others down
            self.error = self.error or exc
        self.seconds = time.monotonic() - started

    def _fit_though_controllers_die(self) -> Any:
        """Ray Train starts killed workers again, but not what watches over them; its workers end with it."""
        for failures_left in reversed(range(self.max_failures + 1)):
            try:
                return self._trainer().fit()
            except ActorDiedError:
                if failures_left == 0 or self.error is not None:
                    raise
                logger.warning("the controller of %s died; it goes on", self.job.level.name)
                for note in mend(self.storage / self.job.level.name):
                    logger.warning("%s: %s", self.job.level.name, note)

    def _trainer(self) -> Any:
        return LeanTorchTrainer(
            train_level,
            train_loop_config=self.job.to_dict(),
            scaling_config=ScalingConfig(
                num_workers=self.job.level.budget.num_workers,
                use_gpu=self.use_gpu,
                resources_per_worker=self.resources,
            ),
            run_config=RunConfig(
                name=self.job.level.name,  # the same name and path go on from the last checkpoint
                storage_path=str(self.storage),
                failure_config=FailureConfig(max_failures=self.max_failures),
                checkpoint_config=CheckpointConfig(num_to_keep=2),
            ),
        )


def level_runs(config: TrainConfig, jobs: list[LevelJob], storage: Path) -> list[LevelRun]:
    storage.mkdir(parents=True, exist_ok=True)
    gpus = _gpu_levels(config)
    cpu_share = _cpu_share(sum(level.budget.num_workers for level in config.levels))
    runs = []
    for job in jobs:
        use_gpu = job.level.name in gpus
        resources = {"CPU": cpu_share, **({"GPU": 1.0} if use_gpu else {})}
        job = job.model_copy(update={"checkpoints_dir": str(storage / job.level.name)})
        runs.append(LevelRun(job, resources, use_gpu, storage, config.max_failures))
    return runs


def _gpu_levels(config: TrainConfig) -> set[str]:
    """Levels that train on GPUs; `auto` ones do when the cluster has one for each of their workers."""
    wanted = {level.name for level in config.levels if level.budget.use_gpu is True}
    auto = [level for level in config.levels if level.budget.use_gpu == "auto"]
    candidates = [level for level in config.levels if level.name in wanted] + auto
    needed = sum(level.budget.num_workers for level in candidates)
    if ray.cluster_resources().get("GPU", 0.0) >= needed:
        wanted |= {level.name for level in auto}
    return wanted


def _cpu_share(num_workers: int) -> float:
    """CPUs a worker asks for: one, or less where that lets all levels run side by side."""
    free = ray.available_resources().get("CPU", 0.0)
    share = int(100 * free / num_workers) / 100
    return min(1.0, max(share, 0.01))
