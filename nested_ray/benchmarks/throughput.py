"""Steps of a level alone beside transformers' Trainer and a bare PyTorch loop: same model, rows and optimiser."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from nested_ray.benchmarks.setting import CPU, start_decoder
from nested_ray.benchmarks.together import prepared
from nested_ray.datasets.loader import IGNORED, Batch, collate, sample_rows
from nested_ray.models import WindowModel
from nested_ray.models.precision import autocast
from nested_ray.train.job import LevelJob
from nested_ray.train.level import LevelTrainer
from nested_ray.train.lr import build_optimizer

ALONE, TRAINER, BARE = "nested-ray, alone", "transformers Trainer", "bare PyTorch loop"

OnRound = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Pace:
    """One contender in one round."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Throughput:
    """Every contender's rounds, in the order they were run."""

    steps: int
    tokens_per_step: int
    """Predicted ones; contexts and padding are not counted."""
    rounds: dict[str, list[Pace]]

    def tokens_per_second(self, name: str, clock: str) -> float:
        """Median over the rounds."""
        seconds = [getattr(pace, clock) for pace in self.rounds[name]]
        return self.steps * self.tokens_per_step / float(np.median(seconds))

    def ratios(self, name: str, clock: str) -> list[float]:
        """By how much the level is faster than another, per round."""
        return [
            getattr(theirs, clock) / getattr(ours, clock)
            for ours, theirs in zip(self.rounds[ALONE], self.rounds[name], strict=True)
        ]


def compare_throughput(
    job: LevelJob,
    dataset: Dataset,
    dtype: torch.dtype,
    *,
    steps: int,
    rounds: int,
    on_round: OnRound = lambda done, total, name: None,
) -> Throughput:
    """The contenders take turns; each round is timed after one step that is not."""
    contenders: dict[str, Callable[[int], Pace]] = {
        ALONE: partial(time_level, job, dataset, dtype),
        TRAINER: partial(time_trainer, job, dataset, dtype),
        BARE: partial(time_bare, job, dataset, dtype),
    }
    times: dict[str, list[Pace]] = {name: [] for name in contenders}
    for number in range(rounds):
        for place, (name, run) in enumerate(contenders.items()):
            on_round(number * len(contenders) + place, rounds * len(contenders), name)
            times[name].append(run(steps))
    batch = next(batches(job, dataset))
    return Throughput(steps, int((batch.target_ids != IGNORED).sum()), times)


def rows(job: LevelJob, dataset: Dataset, step: int) -> np.ndarray:
    """Row numbers of a private batch of the level."""
    return sample_rows(
        len(dataset),
        seed=job.seed,
        batch_id=f"private:{job.level.name}/0/{step}",
        batch_size=job.level.budget.micro_batch_size,
    )


def batches(job: LevelJob, dataset: Dataset) -> Iterator[Batch]:
    """The batches that the level alone trains on, without end."""
    step = 0
    while True:
        yield collate(dataset, rows(job, dataset, step), pad_id=job.pad_id)
        step += 1


class Watch:
    """Times everything after the first call."""

    def __init__(self) -> None:
        self._wall = self._cpu = 0.0

    def start(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def stop(self) -> Pace:
        return Pace(time.perf_counter() - self._wall, time.process_time() - self._cpu)


def time_level(job: LevelJob, dataset: Dataset, dtype: torch.dtype, steps: int) -> Pace:
    """Private steps of a LevelTrainer."""
    distill = job.distill.model_copy(update={"paired_share": 0.0})
    trainer = LevelTrainer(
        job.model_copy(update={"distill": distill}),
        decoder=start_decoder(job),
        dataset=dataset,
        exchange=None,
        dtype=dtype,
    )
    watch = Watch()
    trainer.make_step()
    watch.start()
    for _ in range(steps):
        trainer.make_step()
    return watch.stop()


def time_bare(job: LevelJob, dataset: Dataset, dtype: torch.dtype, steps: int) -> Pace:
    """What one would write by hand around the same model."""
    model = WindowModel(start_decoder(job))
    optimizer = build_optimizer(job.level.lr, model)
    max_grad_norm = job.level.budget.max_grad_norm
    source, watch = batches(job, dataset), Watch()
    cast: Callable[[], AbstractContextManager[object]] = partial(autocast, dtype, CPU)
    for step in range(steps + 1):
        if step == 1:
            watch.start()
        batch = prepared(next(source))
        with cast():
            logits_NV = model(batch.input_ids_BL, batch.target_index_BW, batch.valid_BW)
            loss = functional.cross_entropy(logits_NV, batch.gold_ids_N)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return watch.stop()


def time_trainer(job: LevelJob, dataset: Dataset, dtype: torch.dtype, steps: int) -> Pace:
    """transformers' Trainer on the same rows, with labels outside the window ignored."""
    model = start_decoder(job)
    optimizer = build_optimizer(job.level.lr, model)
    steady: Any = LambdaLR(optimizer, lambda step: 1.0)
    timed = TimedSteps()
    with tempfile.TemporaryDirectory(prefix="nested-ray-trainer-") as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=steps + 1,
            per_device_train_batch_size=job.level.budget.micro_batch_size,
            max_grad_norm=job.level.budget.max_grad_norm,
            bf16=dtype is torch.bfloat16,
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=Numbers(steps + 1, job.level.budget.micro_batch_size),
            data_collator=partial(labelled, job, dataset),
            optimizers=(optimizer, steady),
            callbacks=[timed],
        )
        trainer.remove_callback(PrinterCallback)  # it would write its own figures to our output
        trainer.train()
    assert timed.pace is not None
    return timed.pace


class Numbers(torch.utils.data.Dataset[int]):
    """As many examples as the steps take; the collator knows which rows a batch has."""

    def __init__(self, num_steps: int, batch_size: int) -> None:
        self._length = num_steps * batch_size

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, number: int) -> int:
        return number


def labelled(job: LevelJob, dataset: Dataset, numbers: Sequence[int]) -> dict[str, torch.Tensor]:
    """One batch as a causal language model takes it: the context is read and not learned."""
    batch = collate(dataset, rows(job, dataset, min(numbers)), pad_id=job.pad_id)
    labels_BL = torch.full_like(batch.input_ids, IGNORED)
    valid_BW = batch.target_ids != IGNORED
    place_BW = (batch.target_index + 1)[valid_BW]
    row_BW = torch.arange(len(labels_BL))[:, None].expand_as(valid_BW)[valid_BW]
    labels_BL[row_BW, place_BW] = batch.target_ids[valid_BW]
    return {"input_ids": batch.input_ids, "labels": labels_BL}


class TimedSteps(TrainerCallback):
    """Times from the end of the first step to the end of the last."""

    def __init__(self) -> None:
        self._watch = Watch()
        self.pace: Pace | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 1:
            self._watch.start()
        elif state.global_step == state.max_steps:
            self.pace = self._watch.stop()


def to_markdown(result: Throughput) -> str:
    """One row per contender; ratios are medians over rounds with their range."""
    lines = [
        f"{len(next(iter(result.rounds.values())))} rounds of {result.steps} steps of "
        f"{result.tokens_per_step:,} predicted tokens, in turns.",
        "",
        "| | tokens/s, processor time | tokens/s, wall clock | the level is faster by, processor time "
        "| wall clock |",
        "|---|---|---|---|---|",
    ]
    for name in result.rounds:
        cells = [f"{result.tokens_per_second(name, clock):,.0f}" for clock in ("cpu_s", "wall_s")]
        if name == ALONE:
            cells += ["", ""]
        else:
            cells += [spread(result.ratios(name, clock)) for clock in ("cpu_s", "wall_s")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.2f} × ({min(values):.2f} to {max(values):.2f})"
