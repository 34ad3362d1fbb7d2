"""The training loop of one worker: what Ray Train runs, told as a story."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ray.train
import ray.train.torch
import torch
from datasets import Dataset
from ray.train import Checkpoint, CheckpointUploadMode

from nested_ray.checkpoints import load_state
from nested_ray.config.levels import FineTuned, ScratchModel
from nested_ray.distill.mailbox import Undelivered
from nested_ray.distill.ray_exchange import RayExchange
from nested_ray.errors import ConfigError
from nested_ray.models import build_model, load_model
from nested_ray.models.lora import add_lora, load_adapter
from nested_ray.models.precision import choose_dtype
from nested_ray.train.board import BoardClient
from nested_ray.train.job import LevelJob
from nested_ray.train.level import LevelTrainer
from nested_ray.train.lr import current_lr
from nested_ray.train.pairing import belongs_to_rank
from nested_ray.train.parallel import agreed_dtype
from nested_ray.train.progress import WorkerProgress
from nested_ray.train.replay import record
from nested_ray.train.restoring import Start, find_start
from nested_ray.train.scratch import clear_scratch, new_scratch


def train_loop_per_worker(config: dict[str, Any]) -> dict[str, Any]:
    """Train one worker of one level to its last step; rank 0's summary is the run's result."""
    job = LevelJob.from_dict(config)
    torch.set_num_threads(num_threads(job))
    clear_scratch(job, ray.train.get_context().get_world_rank())
    with open_exchange(job) as exchange:
        start = find_start(job)
        trainer = open_trainer(job, exchange, start)
        if job.distill.record:
            record(trainer)
        with open_board(job, trainer) as board:
            if board and start.note:
                board.note(start.note)
            if start.folder is not None and not start.known:
                report_again(trainer, start.folder)
            make_steps(trainer, board)
        return summary(trainer)


def make_steps(trainer: LevelTrainer, board: BoardClient | None) -> None:
    """Train to the last step or until the run is cancelled; either way nothing learned is lost."""
    first_step, every = trainer.step, trainer.job.level.budget.checkpoint_every_steps
    while not trainer.done and not is_cancelled(trainer, board):
        trainer.make_step()
        if not trainer.done and trainer.step % every == 0:
            report_checkpoint(trainer, CheckpointUploadMode.ASYNC)
    if trainer.step > first_step:
        report_checkpoint(trainer, CheckpointUploadMode.SYNC)


def is_cancelled(trainer: LevelTrainer, board: BoardClient | None) -> bool:
    """Whether to stop before the next step; all workers of a level stop at the same one."""
    cancelled = bool(board and board.cancelled)
    if trainer.world_size == 1:
        return cancelled
    # Each hears of it in its own second; one that went on alone would wait for the others for ever.
    return sum_over_ranks({"cancelled": float(cancelled)}, trainer.device)["cancelled"] > 0


def num_threads(job: LevelJob) -> int:
    """Threads of this worker: cores of its machine over the workers that may share it."""
    cores = len(os.sched_getaffinity(0))
    sharing = len(job.levels) * ray.train.get_context().get_local_world_size()
    return max(1, cores // sharing)


@contextmanager
def open_exchange(job: LevelJob) -> Iterator[RayExchange | None]:
    """This worker's end of the exchange, or None for a level that trains alone."""
    if job.exchange_actor is None or job.namespace is None:
        yield None
        return
    context = ray.train.get_context()
    rank, world_size = context.get_world_rank(), context.get_world_size()
    exchange = RayExchange(
        job.exchange_actor,
        job.namespace,
        job.level.name,
        keep=job.distill.keep_records,
        accepts=lambda header: belongs_to_rank(header.batch_id, rank, world_size),
    )
    try:
        yield exchange
    finally:
        exchange.close()


def open_trainer(job: LevelJob, exchange: RayExchange | None, start: Start) -> LevelTrainer:
    """A trainer with fresh weights, or as a checkpoint left it."""
    if start.folder is None:
        return new_trainer(job, exchange, fresh_decoder(job))
    # Twice verified: here, and where it was chosen, for which every worker's files are read.
    state = load_state(start.folder, rank=ray.train.get_context().get_world_rank())
    trainer = new_trainer(job, exchange, saved_decoder(job, start.folder), state.cursor)
    trainer.restore(state)
    return trainer


def fresh_decoder(job: LevelJob) -> Any:
    """The decoder before its first step: random weights, or those it starts from, with adapters if it learns by them."""
    source = job.level.model
    if isinstance(source, ScratchModel):
        return build_model(
            source,
            vocab_size=job.vocab_size,
            max_positions=job.max_positions,
            seed=job.model_seed,
        )
    if job.start_model is None:
        raise ConfigError(f"level {job.level.name} was given no model to start from")
    decoder = load_model(job.start_model, weights_dtype(source))
    if source.lora is not None:
        add_lora(decoder, source.lora, seed=job.model_seed)
    return decoder


def saved_decoder(job: LevelJob, checkpoint: Path) -> Any:
    """The decoder as a checkpoint left it."""
    source = job.level.model
    if isinstance(source, ScratchModel) or source.lora is None:
        return load_model(checkpoint)
    decoder = fresh_decoder(job)
    load_adapter(decoder, checkpoint)
    return decoder


def weights_dtype(source: FineTuned) -> torch.dtype:
    """bf16 for frozen weights on a GPU that asks for it; a CPU computes faster with fp32 ones."""
    half = source.weights == "bf16" and ray.train.torch.get_device().type == "cuda"
    return torch.bfloat16 if half else torch.float32


def autocast_dtype(job: LevelJob, decoder: Any, cursor: dict[str, Any]) -> torch.dtype:
    """The format of matrix products: that of the checkpoint's `cursor`; bf16 weights leave no choice."""
    if any(parameter.dtype is torch.bfloat16 for parameter in decoder.parameters()):
        return torch.bfloat16
    device = ray.train.torch.get_device()
    if cursor.get("device") == device.type:
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[cursor["dtype"]]
    own = choose_dtype(job.level.budget.precision, device, decoder.config.hidden_size)
    return agreed_dtype(own, device, ray.train.get_context().get_world_size())


def new_trainer(
    job: LevelJob,
    exchange: RayExchange | None,
    decoder: Any,
    cursor: dict[str, Any] | None = None,
) -> LevelTrainer:
    context = ray.train.get_context()
    return LevelTrainer(
        job,
        decoder=decoder,
        dataset=Dataset.load_from_disk(job.dataset_dir),
        exchange=exchange,
        dtype=autocast_dtype(job, decoder, cursor or {}),
        rank=context.get_world_rank(),
        world_size=context.get_world_size(),
        device=ray.train.torch.get_device(),
        undelivered=exchange.undelivered if exchange else Undelivered,
    )


@contextmanager
def open_board(job: LevelJob, trainer: LevelTrainer) -> Iterator[BoardClient | None]:
    """Start together with the other levels and report progress until the loop ends."""
    if job.board_actor is None or job.namespace is None:
        yield None
        return
    pace = Pace(trainer)
    board = BoardClient(
        job.board_actor,
        job.namespace,
        job.level.name,
        trainer.rank,
        measure=lambda: measure(trainer, pace),
    )
    board.wait_for_start(job.placement_timeout_s)
    try:
        yield board
    finally:
        board.close()


class Pace:
    """Speed between two looks at the trainer; a look without a new step keeps the speed before."""

    def __init__(self, trainer: LevelTrainer) -> None:
        self.first_step = self._step = trainer.step
        self._tokens = trainer.counters.tokens_seen
        self._looked_at = time.monotonic()
        self.tokens_per_second = self.seconds_per_step = 0.0

    def look(self, trainer: LevelTrainer) -> None:
        now, step, tokens = time.monotonic(), trainer.step, trainer.counters.tokens_seen
        if step == self._step:
            return
        elapsed = now - self._looked_at
        self.tokens_per_second = (tokens - self._tokens) / elapsed
        self.seconds_per_step = elapsed / (step - self._step)
        self._step, self._tokens, self._looked_at = step, tokens, now


def measure(trainer: LevelTrainer, pace: Pace) -> WorkerProgress:
    """What the board hears; read from another thread while the trainer works."""
    pace.look(trainer)
    counters = trainer.counters
    return WorkerProgress(
        step=trainer.step,
        tokens_per_second=pace.tokens_per_second,
        seconds_per_step=pace.seconds_per_step,
        ce=trainer.recent.ce,
        kd=trainer.recent.kd,
        accuracy=trainer.recent.accuracy,
        lr=current_lr(trainer.optimizer),
        tokens_seen=counters.tokens_seen,
        targets_published=counters.targets_published,
        targets_used=counters.targets_used,
        targets_stale=counters.targets_stale,
        targets_lost=counters.targets_lost,
        targets_dropped=counters.targets_dropped,
        pid=os.getpid(),
        first_step=pace.first_step,
        cpu_seconds=time.process_time(),
    )


def report_checkpoint(trainer: LevelTrainer, mode: CheckpointUploadMode) -> None:
    """Hand a checkpoint to Ray Train; every rank takes part. The folder is deleted once uploaded."""
    directory = new_scratch(trainer.job, trainer.rank)
    trainer.save(directory)
    ray.train.report(
        {"step": trainer.step, "ce": trainer.recent.ce},
        checkpoint=Checkpoint.from_directory(directory),
        checkpoint_upload_mode=mode,
        delete_local_checkpoint_after_upload=True,
    )


def report_again(trainer: LevelTrainer, checkpoint: Path) -> None:
    """Make a checkpoint the newest that Ray Train knows, so that it keeps this one and not a damaged one.

    Saving it anew would move the weights by a rounding error; its files are copied as they are.
    """
    copy = None
    if trainer.rank == 0:
        directory = new_scratch(trainer.job, trainer.rank)
        shutil.copytree(checkpoint, directory, dirs_exist_ok=True)
        copy = Checkpoint.from_directory(directory)
    ray.train.report(
        {"step": trainer.step, "ce": trainer.recent.ce},
        checkpoint=copy,
        delete_local_checkpoint_after_upload=True,
    )


def summary(trainer: LevelTrainer) -> dict[str, Any]:
    """Totals over the level's workers, as plain numbers."""
    totals: dict[str, float] = asdict(trainer.counters)
    if trainer.world_size > 1:
        totals = sum_over_ranks(totals, trainer.device)
        totals["train_seconds"] /= trainer.world_size
    return {"step": trainer.step, **asdict(trainer.recent), **totals}


def sum_over_ranks(totals: dict[str, float], device: torch.device) -> dict[str, float]:
    values = torch.tensor(list(totals.values()), dtype=torch.float64, device=device)
    torch.distributed.all_reduce(values)
    return dict(zip(totals, values.tolist(), strict=True))
