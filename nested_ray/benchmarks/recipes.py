"""Training configs compared: each gets the same processor time in one process, on the same corpus."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset

from nested_ray.config.train import TrainConfig
from nested_ray.datasets.store import LevelDatasets
from nested_ray.distill.mailbox import InMemoryExchange
from nested_ray.errors import ConfigError
from nested_ray.evals.evaluate import evaluate
from nested_ray.evals.report import EvalReport, render_markdown
from nested_ray.models.precision import choose_dtype
from nested_ray.train.assemble import assemble_nest
from nested_ray.train.job import LevelJob, level_jobs
from nested_ray.train.level import LevelTrainer
from nested_ray.train.loop import fresh_decoder
from nested_ray.train.prepare import Prepared, prepare
from nested_ray.train.reporter import Advance, Reporter
from nested_ray.train.run import heldout
from nested_ray.train.rundir import RunDir, open_run, remove_tree

NUM_TIMED_STEPS = 2
CPU = torch.device("cpu")


@dataclass(frozen=True)
class LevelCost:
    """What one level of a recipe costs, and how far it came."""

    name: str
    num_parameters: int
    cpu_seconds_per_step: float
    """Measured before the training, on steps that are thrown away."""
    steps_in_full: int
    steps_made: int
    tokens_seen: int

    @property
    def hours_in_full(self) -> float:
        return self.cpu_seconds_per_step * self.steps_in_full / 3600


@dataclass(frozen=True)
class RecipeResult:
    """One config after its share of processor time."""

    name: str
    cpu_seconds: float
    """Spent in training steps, the exchange included."""
    peak_memory_bytes: int
    """Of this process, evaluation included; all levels in one process share the libraries."""
    levels: tuple[LevelCost, ...]
    report: EvalReport

    @property
    def hours_in_full(self) -> float:
        """Processor hours of all levels' steps."""
        return sum(level.hours_in_full for level in self.levels)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "report": self.report.to_dict()}


class NoRegistry:
    """Recipes are compared from scratch or from models of others: what is registered is one machine's own."""

    def resolve(self, nest: str, ref: str | int) -> Any:
        raise ConfigError(
            f"{nest}@{ref}: a recipe that starts from a registered nest cannot be compared"
        )

    def fetch(self, version: Any) -> Path:
        raise ConfigError(f"{version}: no registry is open")


def measure_recipe(
    config: TrainConfig, *, cpu_seconds: float, home: Path, reporter: Reporter
) -> RecipeResult:
    """Train the levels in turn for that long, each as far in its budget as the others, and evaluate the nest.

    Step counts (budgets, warm-up, burn-in, ramp) are cut in one proportion, so that what is left is
    the whole recipe in small. Preparing the corpus is kept below `home` and not counted.
    """
    torch.set_num_threads(1)
    with closing(open_run(home, config, solo=False, fresh=False)) as run_dir:
        prepared = prepare(config, run_dir, reporter, NoRegistry())
        with reporter.stage("timing a step of every level"):
            seconds = {
                job.level.name: time_step(job, prepared.datasets)
                for job in jobs_of(config, prepared)
            }
        full = sum(seconds[level.name] * level.budget.max_steps for level in config.levels)
        reporter.note(costs_sentence(config.name, seconds, full))
        small = scaled(config, cpu_seconds / full)
        with reporter.stage(f"training {config.name} for {cpu_seconds:,.0f} s") as advance:
            exchange = InMemoryExchange(small.distill.keep_records)
            trainers = [
                build_trainer(job, prepared.datasets, exchange) for job in jobs_of(small, prepared)
            ]
            spent = train_in_turn(trainers, cpu_seconds, advance)
        costs = tuple(
            LevelCost(
                name=level.name,
                num_parameters=trainer.decoder.num_parameters(),
                cpu_seconds_per_step=seconds[level.name],
                steps_in_full=level.budget.max_steps,
                steps_made=trainer.step,
                tokens_seen=trainer.counters.tokens_seen,
            )
            for level, trainer in zip(config.levels, trainers, strict=True)
        )
        models = save_levels(trainers, run_dir)
        trainers.clear()
        report = evaluate_nest(config, prepared, models, run_dir, reporter)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return RecipeResult(config.name, spent, peak, costs, report)


def costs_sentence(name: str, seconds: Mapping[str, float], full_seconds: float) -> str:
    """What a step of each level takes, and all of the config's steps together."""
    steps = ", ".join(f"{level} {each:.2f} s" for level, each in seconds.items())
    return f"a step takes {steps} of processor time; all of {name} {full_seconds / 3600:.1f} hours"


def scaled(config: TrainConfig, factor: float) -> TrainConfig:
    """Every count of steps times the factor, at least 1 where it is not 0."""

    def times(count: int) -> int:
        return max(1, round(count * factor)) if count else 0

    values = config.model_dump(mode="json")
    for level in values["levels"]:
        level["budget"]["max_steps"] = times(level["budget"]["max_steps"])
        if "warmup_steps" in level["lr"]:
            level["lr"]["warmup_steps"] = times(level["lr"]["warmup_steps"])
    for key in ("burn_in_steps", "ramp_steps"):
        values["distill"][key] = times(values["distill"][key])
    return TrainConfig.from_values(values)


def jobs_of(config: TrainConfig, prepared: Prepared) -> list[LevelJob]:
    names = [level.name for level in config.levels]
    return level_jobs(
        config,
        dataset_dirs={
            name: str(prepared.datasets.root / "levels" / name / "train") for name in names
        },
        tokenizer_hash=prepared.tokenizer.hash,
        vocab_size=prepared.tokenizer.vocab_size,
        pad_id=prepared.tokenizer.pad,
        always_ids=prepared.tokenizer.decision_ids,
        start_models={name: str(folder) for name, folder in prepared.start_models.items()},
        placement_timeout_s=0,
        exchange_actor=None,
        board_actor=None,
        namespace=None,
    )


def build_trainer(
    job: LevelJob, datasets: LevelDatasets, exchange: InMemoryExchange | None
) -> LevelTrainer:
    decoder = fresh_decoder(job)
    return LevelTrainer(
        job,
        decoder=decoder,
        dataset=Dataset.load_from_disk(str(datasets.root / "levels" / job.level.name / "train")),
        exchange=exchange,
        dtype=choose_dtype(job.level.budget.precision, CPU, decoder.config.hidden_size),
    )


def time_step(job: LevelJob, datasets: LevelDatasets) -> float:
    """Processor seconds of one step, after a first one that pays for what is allocated once."""
    trainer = build_trainer(job, datasets, None)
    trainer.make_step()
    started = time.process_time()
    for _ in range(NUM_TIMED_STEPS):
        trainer.make_step()
    return (time.process_time() - started) / NUM_TIMED_STEPS


def train_in_turn(trainers: Sequence[LevelTrainer], cpu_seconds: float, advance: Advance) -> float:
    """The level that is furthest behind in its budget makes the next step; gives the seconds spent."""
    started, spent = time.process_time(), 0.0
    while spent < cpu_seconds and not all(trainer.done for trainer in trainers):
        behind = min(trainers, key=lambda each: each.step / each.job.level.budget.max_steps)
        behind.make_step()
        spent = time.process_time() - started
        losses = (f"{each.job.level.name} {each.recent.ce:.3f}" for each in trainers if each.step)
        advance(round(spent), round(cpu_seconds), ", ".join(losses))
    return spent


def save_levels(trainers: Sequence[LevelTrainer], run_dir: RunDir) -> dict[str, Path]:
    """The averaged weights, anew with every measurement."""
    models = {}
    for trainer in trainers:
        folder = run_dir.path / f"measured-{trainer.job.level.name}"
        remove_tree(folder)
        trainer.save(folder)
        models[trainer.job.level.name] = folder
    return models


def evaluate_nest(
    config: TrainConfig,
    prepared: Prepared,
    models: dict[str, Path],
    run_dir: RunDir,
    reporter: Reporter,
) -> EvalReport:
    nest_dir = run_dir.path / "measured-nest"
    remove_tree(nest_dir)
    nest_dir.mkdir()
    assemble_nest(config, prepared, models, nest_dir)
    with reporter.stage("evaluating on held-out code") as advance:
        return evaluate(
            nest_dir,
            heldout(config, prepared, "validation"),
            heldout(config, prepared, "test"),
            config.evaluation,
            advance,
        )


def to_markdown(result: RecipeResult) -> str:
    """Costs and held-out figures of one recipe."""
    lines = [
        f"### {result.name}",
        f"{result.cpu_seconds / 60:.1f} processor minutes of training, one thread; all steps of the config would take "
        f"{result.hours_in_full:.1f} processor hours; peak memory {result.peak_memory_bytes / 1e9:.1f} GB.",
        "",
        "| level | parameters, M | CPU s a step | steps made | of | tokens seen | CPU hours in full |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {level.name} | {level.num_parameters / 1e6:.1f} | {level.cpu_seconds_per_step:.2f} | {level.steps_made:,} | "
        f"{level.steps_in_full:,} | {level.tokens_seen:,} | {level.hours_in_full:.2f} |"
        for level in result.levels
    ]
    return "\n".join([*lines, "", render_markdown(result.report)])
