"""Three levels that learn in seconds, side by side on whatever Ray is up, and one of them alone from what it heard."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset

from nested_ray.config.train import TrainConfig
from nested_ray.distill.recorded import Recording
from nested_ray.train.fit import fit_levels
from nested_ray.train.job import level_jobs
from nested_ray.train.level import LevelTrainer
from nested_ray.train.loop import fresh_decoder
from nested_ray.train.replay import recording_folder, replay

NAMES = ("syntax", "semantics", "architecture")
VOCAB_SIZE = 600
TOKENIZER = {"tokenizer_hash": "t" * 16, "vocab_size": VOCAB_SIZE, "always_ids": (1, 8, 9, 10)}


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """By level; each row repeats a pattern, of which the wider levels see more."""
    folder = tmp_path_factory.mktemp("datasets")
    for width, name in enumerate(NAMES):
        rows = []
        for row in range(64):
            pattern = np.random.default_rng(row).integers(8, VOCAB_SIZE, 4).tolist()
            rows.append(
                {
                    "input_ids": [*(pattern * width), 2, *(pattern * 8)],
                    "window_start": 4 * width + 1,
                    "num_window_tokens": 32,
                }
            )
        Dataset.from_list(rows).save_to_disk(str(folder / name))
    return {name: folder / name for name in NAMES}


def config(*, max_steps, names=NAMES, record=False, **level_budgets):
    budget = {"max_steps": max_steps, "micro_batch_size": 4, "checkpoint_every_steps": 20}
    return TrainConfig.from_values(
        {
            "name": "tiny",
            "corpus": {"sources": [{"type": "folder", "path": "unused"}]},
            "windows": {"window_tokens": 32},
            "distill": {
                "burn_in_steps": 5,
                "ramp_steps": 5,
                "paired_share": 0.5,
                "record": record,
            },
            "levels": [
                {
                    "name": name,
                    "kind": name,
                    "weight": 0.3,
                    "budget": {**budget, **level_budgets.get(name, {})},
                }
                for name in names
            ],
        }
    )


def fit(settings, datasets, run_dir, **arguments):
    return fit_levels(settings, datasets=datasets, run_dir=run_dir, **TOKENIZER, **arguments)


def made_again(settings, datasets, run_dir: Path, folder: Path) -> dict[str, Path]:
    """Each level of a recorded run through its last step, in this process and never stopped nor restored.

    Returns each one's last checkpoint, by level. A checkpoint averages the weights and takes them apart again,
    which rounds: one is saved wherever the run saved one.
    """
    jobs = level_jobs(
        settings,
        dataset_dirs={name: str(folder) for name, folder in datasets.items()},
        **TOKENIZER,
        pad_id=0,
        placement_timeout_s=0,
        exchange_actor=None,
        board_actor=None,
        namespace=None,
    )
    return {
        job.level.name: make_again(
            job,
            Recording(recording_folder(run_dir / "ray" / job.level.name, 0)),
            folder / job.level.name,
        )
        for job in jobs
    }


def make_again(job, recording: Recording, folder: Path) -> Path:
    # As many as in its own process: sums come out alike.
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // len(job.levels)))
    dataset = Dataset.load_from_disk(job.dataset_dir)
    trainer = LevelTrainer(job, decoder=fresh_decoder(job), dataset=dataset, exchange=None)
    replay(trainer, recording)
    pool = trainer.peers.pool
    while not trainer.done:
        if recording.began_at(trainer.step):
            # The process that began here had lost what the one before had in hand.
            pool.take({header.batch_id for header in pool.headers})
        trainer.make_step()
        if trainer.step % job.level.budget.checkpoint_every_steps == 0:
            trainer.save(folder / str(trainer.step))
    return folder / str(trainer.step)
