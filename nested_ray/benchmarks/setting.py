"""A finished run's folder → what its levels train from: jobs, datasets and decoders before their first step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nested_ray.config.base import set_dotted
from nested_ray.config.levels import ScratchModel
from nested_ray.config.train import TrainConfig
from nested_ray.datasets.store import MANIFEST, LevelDatasets
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.errors import TrainingError
from nested_ray.models import build_model, load_model
from nested_ray.models.lora import add_lora
from nested_ray.train.job import LevelJob, level_jobs
from nested_ray.train.prepare import TOKENIZER_FILE

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Setting:
    """What a finished run trained its levels from."""

    config: TrainConfig
    datasets: LevelDatasets
    tokenizer: NestTokenizer
    run_dir: Path

    @classmethod
    def of_run(
        cls,
        run_dir: Path,
        overrides: Sequence[str] = (),
        levels: Sequence[str] | None = None,
    ) -> Setting:
        """A run folder's config, changed by `key=value`, its tokenizer and its datasets; all levels or some."""
        try:
            values = json.loads((run_dir / "config.json").read_text(encoding="utf-8"))
            (manifest,) = (run_dir / "datasets").glob(f"*/{MANIFEST}")
        except (OSError, ValueError) as exc:
            raise TrainingError(
                f"{run_dir} is not a run folder with finished datasets; "
                "give one such as .nested-ray/runs/quickstart-1, made by nested-ray train"
            ) from exc
        for override in overrides:
            set_dotted(values, override)
        if levels:
            values["levels"] = [each for each in values["levels"] if each["name"] in levels]
        return cls(
            TrainConfig.model_validate(values),
            LevelDatasets.open(manifest.parent),
            NestTokenizer.load(run_dir / "tokenizer" / TOKENIZER_FILE),
            run_dir,
        )

    @property
    def levels(self) -> tuple[str, ...]:
        return tuple(level.name for level in self.config.levels)

    def jobs(self, seed: int) -> dict[str, LevelJob]:
        """Every level's job with that seed, which decides its data."""
        jobs = level_jobs(
            self.config.model_copy(update={"seed": seed}),
            dataset_dirs={name: "" for name in self.levels},
            tokenizer_hash=self.tokenizer.hash,
            vocab_size=self.tokenizer.vocab_size,
            pad_id=self.tokenizer.pad,
            always_ids=self.tokenizer.decision_ids,
            start_models={
                name: str(folder)
                for name in self.levels
                if (folder := self.run_dir / f"start-{name}").is_dir()
            },
            placement_timeout_s=0,
            exchange_actor=None,
            board_actor=None,
            namespace=None,
        )
        return {job.level.name: job for job in jobs}


def start_decoder(job: LevelJob, *, seed: int = 0, random: bool = False) -> Any:
    """The decoder before its first step, on the CPU; `seed` changes random weights and nothing else."""
    source = job.level.model
    if isinstance(source, ScratchModel) or random:
        preset = source if isinstance(source, ScratchModel) else ScratchModel()
        return build_model(
            preset,
            vocab_size=job.vocab_size,
            max_positions=job.max_positions,
            seed=job.model_seed + seed,
        )
    if job.start_model is None:
        raise TrainingError(f"level {job.level.name} was given no model to start from")
    decoder = load_model(job.start_model)
    if source.lora is not None:
        add_lora(decoder, source.lora, seed=job.model_seed + seed)
    return decoder
