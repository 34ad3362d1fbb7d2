"""Tiny levels that learn in milliseconds: each row repeats a pattern of four tokens."""

import numpy as np
import pytest
import torch
from datasets import Dataset

from nested_ray.config.levels import LevelConfig, TrainingBudget
from nested_ray.config.train import DistillConfig
from nested_ray.distill.mailbox import InMemoryExchange
from nested_ray.models import build_model, load_model
from nested_ray.train.job import LevelJob
from nested_ray.train.level import LevelTrainer

LEVELS = ("syntax", "semantics", "architecture")
VOCAB_SIZE = 96


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def tiny_dataset(level, *, num_rows=64, window_tokens=16):
    """Row i has the same window at every level; the wider levels also see its pattern before."""
    rows = []
    for row in range(num_rows):
        pattern = np.random.default_rng(row).integers(8, VOCAB_SIZE, 4).tolist()
        length = window_tokens if row % 3 else window_tokens - 5
        context = pattern * LEVELS.index(level)
        window = (pattern * window_tokens)[:length]
        rows.append(
            {
                "input_ids": [*context, 2, *window],
                "window_start": len(context) + 1,
                "num_window_tokens": length,
            }
        )
    return Dataset.from_list(rows)


def tiny_job(level="syntax", *, max_steps=12, distill=None, **changes):
    distill = distill or DistillConfig(paired_share=0.5, burn_in_steps=2, ramp_steps=2)
    budget = TrainingBudget(
        max_steps=max_steps,
        micro_batch_size=changes.pop("micro_batch_size", 4),
        update_every=changes.pop("update_every", 1),
        precision="fp32",
        checkpoint_every_steps=5,
    )
    values = {
        "level": LevelConfig(name=level, kind=level, weight=0.3, budget=budget),
        "levels": LEVELS,
        "distill": distill,
        "dataset_dir": "unused",
        "tokenizer_hash": "t" * 16,
        "vocab_size": VOCAB_SIZE,
        "pad_id": 0,
        "always_ids": (1, 8, 9, 10),
        "max_positions": 64,
        "paired_batch_size": 4,
        "seed": 1,
    }
    return LevelJob(**{**values, **changes})


def tiny_trainer(level="syntax", *, exchange=None, model_dir=None, job=None, **changes):
    job = job or tiny_job(level, **changes)
    decoder = load_model(model_dir) if model_dir else build_decoder(job)
    return LevelTrainer(job, decoder=decoder, dataset=tiny_dataset(level), exchange=exchange)


def build_decoder(job):
    return build_model(
        job.level.model,
        vocab_size=job.vocab_size,
        max_positions=job.max_positions,
        seed=job.model_seed,
    )


@pytest.fixture
def make_trainer():
    return tiny_trainer


@pytest.fixture
def make_job():
    return tiny_job


@pytest.fixture
def make_dataset():
    return tiny_dataset


@pytest.fixture
def exchange():
    return InMemoryExchange(keep=16)
