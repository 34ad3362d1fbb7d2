"""Everything one level's workers need to know, as plain values that travel through Ray."""

from __future__ import annotations

import zlib
from typing import Any, Self

from nested_ray.config.base import Settings
from nested_ray.config.levels import LevelConfig
from nested_ray.config.train import DistillConfig, TrainConfig
from nested_ray.datasets.loader import Replay


class LevelJob(Settings):
    """One level's part of a run."""

    level: LevelConfig
    levels: tuple[str, ...]
    """Names of all levels, from the smallest to the largest."""
    remote_levels: tuple[str, ...] = ()
    """Names of those that only teach."""
    distill: DistillConfig
    dataset_dir: str
    """Training split, as Hugging Face `datasets` saved it."""
    tokenizer_hash: str
    vocab_size: int
    pad_id: int
    always_ids: tuple[int, ...] = ()
    """Token ids that are in the head of every soft target."""
    max_positions: int
    start_model: str | None = None
    """Folder of the model it starts from, with this vocabulary; None: random weights."""
    paired_batch_size: int
    """Examples of a shared batch: every level must build the same rows."""
    seed: int
    replay: Replay | None = None
    """Rows of an earlier nest's corpus among the training rows; the same at every level."""
    placement_timeout_s: float = 180.0
    """How long a level waits for the others to be placed before it starts without them."""
    checkpoints_dir: str | None = None
    """Where this level's checkpoints lie; None: only the one that Ray Train names is looked at."""
    exchange_actor: str | None = None
    """None: the level trains without its peers."""
    board_actor: str | None = None
    namespace: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls.model_validate(values)

    @property
    def model_seed(self) -> int:
        return self.seed ^ zlib.crc32(self.level.name.encode())

    def listens_to(self, teacher: str) -> bool:
        """Whether this level learns from that one."""
        everybody = (*self.levels, *self.remote_levels)
        return teacher in self.distill.teachers.get(self.level.name, everybody)

    @property
    def openers(self) -> tuple[str, ...]:
        """Levels that somebody listens to; only what these say about a new batch is of use to anyone."""
        heard = {
            teacher
            for student in self.levels
            for teacher in self.distill.teachers.get(student, self.levels)
            if teacher != student
        }
        return tuple(name for name in self.levels if name in heard)

    def is_of_remote(self, batch_id: str) -> bool:
        """Whether a remote level opened the batch; it opens the next when this one has been answered."""
        return batch_id.partition("/")[0] in self.remote_levels

    def is_upward(self, teacher: str) -> bool:
        """Whether a teacher sees less than this level."""
        if teacher in self.remote_levels:
            return False
        return self.levels.index(teacher) < self.levels.index(self.level.name)


def level_jobs(
    config: TrainConfig,
    *,
    dataset_dirs: dict[str, str],
    tokenizer_hash: str,
    vocab_size: int,
    pad_id: int,
    always_ids: tuple[int, ...] = (),
    start_models: dict[str, str] | None = None,
    replay: Replay | None = None,
    placement_timeout_s: float,
    exchange_actor: str | None,
    board_actor: str | None,
    namespace: str | None,
) -> list[LevelJob]:
    """One job per level, in the config's order."""
    return [
        LevelJob(
            level=level,
            levels=tuple(each.name for each in config.levels),
            remote_levels=tuple(each.name for each in config.remote_levels),
            distill=config.distill,
            dataset_dir=dataset_dirs[level.name],
            tokenizer_hash=tokenizer_hash,
            vocab_size=vocab_size,
            pad_id=pad_id,
            always_ids=always_ids,
            max_positions=max_positions(config),
            start_model=(start_models or {}).get(level.name),
            paired_batch_size=min(each.budget.micro_batch_size for each in config.levels),
            seed=config.seed,
            replay=replay,
            placement_timeout_s=placement_timeout_s,
            exchange_actor=exchange_actor,
            board_actor=board_actor,
            namespace=namespace,
        )
        for level in config.levels
    ]


def max_positions(config: TrainConfig) -> int:
    """Window, every context and their markers, and as much again as a window for completions."""
    contexts = sum(level.context_tokens for level in config.levels)
    needed = 2 * config.windows.window_tokens + contexts + 64
    return -(-needed // 256) * 256
