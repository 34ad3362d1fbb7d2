"""Workers of one level in processes of their own, joined by gloo, without Ray."""

from __future__ import annotations

import multiprocessing
import traceback
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed

from nested_ray.checkpoints import load_state
from nested_ray.config.levels import ScratchModel
from nested_ray.datasets.loader import collate, sample_rows
from nested_ray.models import build_model, load_model
from nested_ray.models.lora import add_lora, load_adapter
from nested_ray.train.job import LevelJob
from nested_ray.train.level import LevelTrainer
from nested_ray.train.pairing import PairingCursor
from tests.unit.train.conftest import tiny_dataset

TIMEOUT_S = 240


def in_workers(work, folder, world_size=2):
    """What `work(rank)` returned, by rank."""
    # A fork of this process could not compute gradients; a server that only imports is forked from.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.unit.train.workers"])
    queue = context.Queue()
    store = f"file://{folder}/store"
    processes = [
        context.Process(target=_work, args=(queue, store, rank, world_size, work), daemon=True)
        for rank in range(world_size)
    ]
    for process in processes:
        process.start()
    try:
        found = dict(queue.get(timeout=TIMEOUT_S) for _ in processes)
    finally:
        for process in processes:
            process.join(5)
            process.kill()
    for rank, result in sorted(found.items()):
        assert not isinstance(result, str), f"rank {rank}: {result}"
    return [found[rank] for rank in range(world_size)]


def _work(queue, store, rank, world_size, work):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=store, rank=rank, world_size=world_size
    )
    try:
        queue.put((rank, work(rank)))
    except BaseException:
        queue.put((rank, traceback.format_exc()))
    finally:
        torch.distributed.destroy_process_group()


@dataclass(frozen=True)
class Run:
    """So many steps of a level, from its first weights or a checkpoint, and one more after saving."""

    job: LevelJob
    steps: int = 5
    checkpoint: Path | None = None
    save: Path | None = None
    changes: dict[str, Any] = field(default_factory=dict)


def learn(runs, rank=0, world_size=1, kind=LevelTrainer):
    """(loss, norm of the gradient) of each run's steps, by the run's name."""
    found = {}
    for name, run in runs.items():
        trainer = trainer_of(run, rank=rank, world_size=world_size, kind=kind)
        found[name] = steps_of(trainer, run.steps)
        if run.save:
            trainer.save(run.save)
            found[name] += steps_of(trainer, 1)
        if world_size > 1:
            torch.distributed.barrier()  # the next run may read what rank 0 has just written
    return found


def learn_in_two_workers(runs, folder):
    """Losses of each run as the mean over its two workers; norms as both have them."""
    first, second = in_workers(partial(learn, runs, world_size=2), folder)
    joined = {}
    for name in runs:
        assert [norm for _, norm in first[name]] == [norm for _, norm in second[name]]
        joined[name] = [
            ((one + other) / 2, norm)
            for (one, norm), (other, _) in zip(first[name], second[name], strict=True)
        ]
    return joined


def steps_of(trainer, count):
    results = [trainer.make_step() for _ in range(count)]
    return [(result.ce, result.grad_norm) for result in results]


def trainer_of(run, *, rank=0, world_size=1, kind=LevelTrainer):
    job = run.job
    lora = getattr(job.level.model, "lora", None)
    if run.checkpoint and not lora:
        decoder = load_model(run.checkpoint)
    else:
        decoder = build_model(
            ScratchModel(preset="nano"), vocab_size=job.vocab_size, max_positions=64, seed=5
        )
    if lora:
        add_lora(decoder, lora, seed=7)
        if run.checkpoint:
            load_adapter(decoder, run.checkpoint)
    settings = {"dataset": tiny_dataset(job.level.name), "exchange": None, **run.changes}
    trainer = kind(job, decoder=decoder, rank=rank, world_size=world_size, **settings)
    if run.checkpoint:
        trainer.restore(load_state(run.checkpoint, rank=rank))
    return trainer


class BothWorkers(LevelTrainer):
    """One worker that learns the batches of two, one after the other."""

    num_workers = 2

    def _choose(self, batch_number):
        if not hasattr(self, "cursors"):
            self.cursors = [
                PairingCursor.from_json(self.cursor.to_json()) for _ in range(self.num_workers)
            ]
        number, self.rank = divmod(batch_number, self.num_workers)
        self.cursor = self.cursors[self.rank]
        try:
            return super()._choose(number)
        finally:
            self.rank = 0


class ThreeWorkers(BothWorkers):
    num_workers = 3


class WideBatch(LevelTrainer):
    """One worker whose batch is that of two, in one piece."""

    def _load(self, choice):
        rows = [
            sample_rows(
                len(self.dataset),
                seed=self.job.seed,
                batch_id=choice.batch_id.replace("/0/", f"/{rank}/"),
                batch_size=self.job.paired_batch_size,
            )
            for rank in range(2)
        ]
        return collate(self.dataset, np.concatenate(rows), pad_id=self.job.pad_id)
