"""Continual training beside plain fine-tuning: one nest, the same new code, equal tokens, one process, no Ray."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset

from nested_ray.benchmarks.continual_table import (
    ARMS,
    CODES,
    Arm,
    ArmRun,
    ContinualComparison,
    Losses,
)
from nested_ray.benchmarks.together import HeldOut, progress
from nested_ray.config.continual import ContinualConfig
from nested_ray.config.corpus import CorpusConfig
from nested_ray.config.levels import LevelConfig, ScratchModel
from nested_ray.config.train import TokenizerConfig, TrainConfig
from nested_ray.corpus.build import build_corpus
from nested_ray.corpus.documents import Split
from nested_ray.corpus.joining import join_corpora
from nested_ray.datasets.build import build_level_datasets
from nested_ray.datasets.loader import Replay
from nested_ray.datasets.store import LevelDatasets
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.distill.mailbox import InMemoryExchange
from nested_ray.errors import ConfigError
from nested_ray.levels import build_levels, index_definitions
from nested_ray.models import build_model
from nested_ray.train.continuing import Code, first_old_row, old_part
from nested_ray.train.job import LevelJob, level_jobs
from nested_ray.train.level import LevelTrainer
from nested_ray.train.lr import averaged_weights
from nested_ray.train.old_corpus import Joined
from nested_ray.train.parent import paced, scaled

OnStep = Callable[[str, int, int], None]
"""Called with what is trained, steps done and steps in all."""


@dataclass(frozen=True)
class PairOfCorpora:
    """Old and new code under the old code's tokenizer, new rows before old ones in every split."""

    config: TrainConfig
    tokenizer: NestTokenizer
    datasets: LevelDatasets
    first_old: Mapping[Split, int]

    @classmethod
    def build(cls, config: TrainConfig, new: CorpusConfig, folder: Path) -> PairOfCorpora:
        """The config's corpus is the old one. Raises ConfigError when a level does not start from random weights."""
        if not isinstance(config.tokenizer, TokenizerConfig) or any(
            not isinstance(level.model, ScratchModel) for level in config.levels
        ):
            raise ConfigError(
                "the comparison trains its own old nest: tokenizer and levels from scratch"
            )
        old_corpus = build_corpus(config.corpus)
        both = join_corpora(build_corpus(new), old_corpus)
        tokenizer = NestTokenizer.train(
            (document.text for document in old_corpus.split("train")), config.tokenizer
        )
        definitions = index_definitions(both.corpus.split("train"), folder / "outlines")
        levels = build_levels((level.kind for level in config.levels), definitions)
        joined = Joined(both.num_new, len(both.corpus.documents) - both.num_new, "the config")
        datasets = build_level_datasets(
            both.corpus,
            tokenizer,
            levels,
            config,
            folder / "datasets",
            old=old_part(config, joined),
        )
        splits: tuple[Split, ...] = ("train", "test")
        first_old: dict[Split, int] = {
            split: first_old_row(config, both.corpus, datasets, joined, split) for split in splits
        }
        return cls(config, tokenizer, datasets, first_old)

    def rows(self, level: str, split: Split, code: Code) -> Dataset:
        first, total = self.first_old[split], self.datasets.num_windows[split]
        chosen = range(first) if code == "new" else range(first, total)
        return self.datasets.level(level, split).select(chosen)


def compare_continual(
    pair: PairOfCorpora,
    *,
    seeds: Sequence[int],
    heldout_rows: int,
    budget_share: float,
    arms: Sequence[Arm] = ARMS,
    on_step: OnStep = lambda name, done, total: None,
) -> ContinualComparison:
    """One old nest per seed, continued in every arm with `budget_share` of the levels' batches.

    All arms see the same number of windows of the same size at the same lower peak rate; with
    replay a share of them is old.
    """
    heldout: dict[str, dict[Code, HeldOut]] = {
        level.name: {
            code: HeldOut(pair.rows(level.name, "test", code), heldout_rows, pair.tokenizer.pad)
            for code in CODES
        }
        for level in pair.config.levels
    }
    runs: list[ArmRun] = []
    for seed in seeds:
        old_nest = train_old(pair, seed, on_step)
        before = losses_of(old_nest, heldout)
        decoders = {trainer.job.level.name: averaged(trainer) for trainer in old_nest}
        for arm in arms:
            started = time.process_time()
            trainers = continue_nest(pair, decoders, arm, seed, budget_share)
            take_turns(trainers, lambda done, total, arm=arm: on_step(arm, done, total))
            seconds = time.process_time() - started
            tokens = {each.job.level.name: each.counters.tokens_seen for each in trainers}
            runs.append(ArmRun(arm, seed, before, losses_of(trainers, heldout), tokens, seconds))
    first = next(iter(heldout.values()))
    return ContinualComparison({code: first[code].num_tokens for code in CODES}, tuple(runs))


def train_old(pair: PairOfCorpora, seed: int, on_step: OnStep) -> list[LevelTrainer]:
    """The nest before: the config's levels on old code."""
    trainers = start_levels(
        pair,
        pair.config.levels,
        seed,
        decoder=lambda job: build_model(
            ScratchModel.model_validate(job.level.model.model_dump()),
            vocab_size=job.vocab_size,
            max_positions=job.max_positions,
            seed=job.model_seed,
        ),
        rows=lambda name: pair.rows(name, "train", "old"),
    )
    take_turns(trainers, lambda done, total: on_step(f"old nest, seed {seed}", done, total))
    return trainers


def continue_nest(
    pair: PairOfCorpora,
    decoders: Mapping[str, Any],
    arm: Arm,
    seed: int,
    budget_share: float,
) -> list[LevelTrainer]:
    """The levels of an arm before their first step."""
    settings = pair.config.continual
    if arm in ("replay", "fine-tuning"):
        same = {level.name: level.budget.update_every for level in pair.config.levels}
        settings = settings.model_copy(update={"update_every": same})
    levels = [
        paced(shortened(level, budget_share), position, settings)
        for position, level in enumerate(pair.config.levels)
    ]
    replays = arm in ("replay and frequencies", "replay")
    return start_levels(
        pair,
        levels,
        seed + 1,  # other batches than those of the old nest
        decoder=lambda job: copy.deepcopy(decoders[job.level.name]),
        rows=lambda name: (
            pair.datasets.level(name, "train") if replays else pair.rows(name, "train", "new")
        ),
        replay=replay_of(pair, settings) if replays else None,
    )


def replay_of(pair: PairOfCorpora, settings: ContinualConfig) -> Replay:
    return Replay(pair.first_old["train"], settings.replay.share)


def shortened(level: LevelConfig, share: float) -> LevelConfig:
    max_steps = scaled(level.budget.max_steps, share)
    return level.model_copy(
        update={"budget": level.budget.model_copy(update={"max_steps": max_steps})}
    )


def start_levels(
    pair: PairOfCorpora,
    levels: Sequence[LevelConfig],
    seed: int,
    *,
    decoder: Callable[[LevelJob], Any],
    rows: Callable[[str], Dataset],
    replay: Replay | None = None,
) -> list[LevelTrainer]:
    """Trainers before their first step, which exchange targets in this process."""
    config = pair.config.model_copy(update={"levels": tuple(levels), "seed": seed})
    jobs = level_jobs(
        config,
        dataset_dirs={level.name: "" for level in levels},
        tokenizer_hash=pair.tokenizer.hash,
        vocab_size=pair.tokenizer.vocab_size,
        pad_id=pair.tokenizer.pad,
        always_ids=pair.tokenizer.decision_ids,
        replay=replay,
        placement_timeout_s=0,
        exchange_actor=None,
        board_actor=None,
        namespace=None,
    )
    exchange = InMemoryExchange(keep=config.distill.keep_records)
    return [
        LevelTrainer(
            job,
            decoder=decoder(job),
            dataset=rows(job.level.name),
            exchange=exchange if config.distill.enabled else None,
        )
        for job in jobs
    ]


def take_turns(trainers: Sequence[LevelTrainer], on_step: Callable[[int, int], None]) -> None:
    """Every level to its last step; the next step is made by the one that has done least."""
    total = sum(trainer.job.level.budget.max_steps for trainer in trainers)
    for done in range(total):
        min((each for each in trainers if not each.done), key=progress).make_step()
        on_step(done + 1, total)


def averaged(trainer: LevelTrainer) -> Any:
    """A copy of the decoder with the weights that would be published."""
    with averaged_weights(trainer.optimizer):
        return copy.deepcopy(trainer.decoder)


def losses_of(
    trainers: Sequence[LevelTrainer], heldout: Mapping[str, Mapping[Code, HeldOut]]
) -> Losses:
    return {
        trainer.job.level.name: {
            code: heldout[trainer.job.level.name][code].loss(trainer) for code in CODES
        }
        for trainer in trainers
    }
