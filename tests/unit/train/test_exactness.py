"""A level that was killed and resumed makes the steps that it would have made, bit for bit.

Three levels train step by step in turns and write down what they read. One of them is then trained again from its
recording: once in one go, and once killed at random steps and resumed from its checkpoints.
"""

import random
from dataclasses import replace

import pytest
import torch

from nested_ray.checkpoints import load_state
from nested_ray.checkpoints.nesting import flatten
from nested_ray.config.levels import (
    AdaptiveLR,
    LoraConfig,
    ProdigyLR,
    ScheduleFreeLR,
)
from nested_ray.config.train import DistillConfig
from nested_ray.distill.mailbox import InMemoryExchange
from nested_ray.distill.recorded import Recording
from nested_ray.models import build_model, load_model
from nested_ray.models.lora import add_lora, load_adapter
from nested_ray.train.level import LevelTrainer
from nested_ray.train.replay import record, recording_folder, replay

NAMES = ("syntax", "semantics", "architecture")
STEPS, EVERY = 12, 4
DISTILL = DistillConfig(
    paired_share=0.75, burn_in_steps=1, ramp_steps=1, keep_records=3, max_staleness_steps=1
)
"""Small enough a pool that records are pushed out of it, and are stale."""


def job_for(make_job, name, kind, folder):
    every = 3 if kind == "gathered" else 1
    job = make_job(
        name, max_steps=STEPS, distill=DISTILL, update_every=every, checkpoints_dir=str(folder)
    )
    lr = {
        "adaptive": AdaptiveLR(type="adaptive", peak=0.01),
        "prodigy": ProdigyLR(type="prodigy"),
    }.get(kind, ScheduleFreeLR(peak=0.01))
    return job.model_copy(update={"level": job.level.model_copy(update={"lr": lr})})


class Level:
    """One level as the training loop keeps it: built anew or from a checkpoint."""

    def __init__(self, make_job, dataset, name, kind, folder):
        self.job = job_for(make_job, name, kind, folder)
        self.dataset, self.kind, self.folder = dataset, kind, folder

    def build(self, exchange, checkpoint=None):
        decoder = self._decoder(checkpoint)
        return LevelTrainer(self.job, decoder=decoder, dataset=self.dataset, exchange=exchange)

    def _decoder(self, checkpoint):
        if checkpoint is not None and self.kind != "lora":
            return load_model(checkpoint)
        decoder = build_model(
            self.job.level.model,
            vocab_size=self.job.vocab_size,
            max_positions=self.job.max_positions,
            seed=self.job.model_seed,
        )
        if self.kind == "lora":
            add_lora(decoder, LoraConfig(rank=4), seed=self.job.model_seed)
            if checkpoint is not None:
                load_adapter(decoder, checkpoint)
        return decoder

    def steps(self, trainer, until):
        """Losses by step; checkpoints lie in folders named by their step."""
        losses = {}
        while trainer.step < until:
            step = trainer.step
            losses[step] = trainer.make_step()
            if trainer.step % EVERY == 0:
                trainer.save(self.folder / str(trainer.step))
        return losses


@pytest.fixture
def levels(make_job, make_dataset, tmp_path):
    def make(kind):
        return [
            Level(make_job, make_dataset(name), name, each, tmp_path / name)
            for name, each in zip(NAMES, ("schedule_free", kind, "schedule_free"), strict=True)
        ]

    return make


def train_in_turns(levels):
    """All levels' losses by step, recorded; the levels draw ahead of each other."""
    exchange, chance = InMemoryExchange(keep=8), random.Random(7)
    trainers = [level.build(exchange) for level in levels]
    for trainer in trainers:
        record(trainer)
    losses = [{} for _ in levels]
    while not all(trainer.done for trainer in trainers):
        index = chance.choice([i for i, trainer in enumerate(trainers) if not trainer.done])
        losses[index] |= levels[index].steps(trainers[index], trainers[index].step + 1)
    for trainer in trainers:
        trainer.peers.exchange.close()
    return trainers, losses


def state_of(trainer):
    counters = replace(trainer.counters, train_seconds=0)
    return counters, trainer.cursor, trainer.recent, trainer.peers.pool.newest_step


def assert_same_end(resumed, expected):
    assert state_of(resumed) == state_of(expected)
    for mine, theirs in zip(
        resumed.model.state_dict().values(), expected.model.state_dict().values(), strict=True
    ):
        assert torch.equal(mine, theirs)
    mine, theirs = (flatten(trainer.optimizer.state_dict()) for trainer in (resumed, expected))
    assert mine[1] == theirs[1]
    assert all(torch.equal(value, theirs[0][path]) for path, value in mine[0].items())


@pytest.mark.parametrize("kind", ["schedule_free", "gathered", "adaptive", "prodigy", "lora"])
def test_a_level_killed_at_random_steps_repeats_the_curve_of_the_one_that_was_not(
    levels, tmp_path, kind
):
    together, chance = levels(kind), random.Random(kind)
    level = together[1]
    trainers, losses = train_in_turns(together)
    recording = Recording(recording_folder(level.folder, rank=0))
    assert trainers[1].counters.targets_used > 0
    assert trainers[1].counters.targets_stale > 0

    level.folder = tmp_path / "killed"
    trainer, curve, num_resumed = level.build(None), {}, 0
    replay(trainer, recording)
    while not trainer.done:
        killed_at = min(STEPS, trainer.step + chance.randint(1, 2 * EVERY))
        curve |= level.steps(trainer, killed_at)
        newest = max((int(path.name) for path in level.folder.glob("*")), default=None)
        if trainer.done:
            break
        checkpoint = level.folder / str(newest) if newest else None
        torch.manual_seed(chance.randint(0, 1000))  # a new process draws other numbers
        num_resumed += newest is not None
        trainer = level.build(None, checkpoint)
        replay(trainer, recording, load_state(checkpoint, rank=0) if checkpoint else None)
        assert trainer.step == (newest or 0)
    assert num_resumed
    assert curve == losses[1]
    assert_same_end(trainer, trainers[1])
