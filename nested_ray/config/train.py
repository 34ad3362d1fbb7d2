"""One training run: corpus → tokenizer → memory → levels → evaluation → nest version."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import Field, Tag, model_validator

from nested_ray.config.base import Settings, by_type
from nested_ray.config.continual import ContinualConfig
from nested_ray.config.corpus import CorpusConfig
from nested_ray.config.levels import LevelConfig
from nested_ray.config.remote import RemoteLevel
from nested_ray.config.review_training import ReviewTrainingConfig


class TokenizerConfig(Settings):
    """Byte-level BPE, one per nest, trained on the training split."""

    type: Literal["trained"] = "trained"
    vocab_size: int = Field(default=8192, ge=512, le=65_536)
    """At most 65,536, so that token ids in soft targets fit 16 bits."""
    max_training_bytes: int = Field(default=20_000_000, gt=0)
    """A deterministic sample of this size is enough to learn merges from."""


class PretrainedTokenizer(Settings):
    """The byte-level BPE of a pretrained model, cut down to what the training split needs: kept tokens keep their meaning."""

    type: Literal["pretrained"]
    source: str = Field(min_length=1)
    """A folder with `tokenizer.json`, a `.gguf` file, `package:NAME` (the package's model file), or a hub id."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    allow_download: bool = False
    """Whether a hub id may be fetched; otherwise it must be in the local cache."""
    vocab_size: int = Field(default=32_768, ge=512, le=65_536)
    """At most so many tokens are kept, the most frequent first."""
    max_training_bytes: int = Field(default=20_000_000, gt=0)
    """A deterministic sample of this size is enough to count tokens in."""


class RegistryTokenizer(Settings):
    """The tokenizer of a registered nest version, as it is."""

    type: Literal["registry"]
    nest: str
    version: int | str = "champion"
    """A number or an alias."""


TokenizerSource = Annotated[
    Annotated[TokenizerConfig, Tag("trained")]
    | Annotated[PretrainedTokenizer, Tag("pretrained")]
    | Annotated[RegistryTokenizer, Tag("registry")],
    by_type("trained"),
]


class MemoryConfig(Settings):
    """Verbatim recall: n-gram index of the training split plus the in-file cache."""

    max_order: int = Field(default=24, ge=1, le=32)
    """Longest context that is looked up, in tokens."""


class WindowConfig(Settings):
    """The shared target window: every level predicts the same tokens."""

    window_tokens: int = Field(default=256, ge=32)
    fim_share: float = Field(default=0.3, ge=0, le=1)
    """Share of training windows rearranged for fill-in-the-middle."""
    max_windows: int = Field(default=50_000, gt=0)
    """A deterministic sample is taken when the training split has more."""


class DistillConfig(Settings):
    """What levels tell each other while they train."""

    enabled: bool = True
    paired_share: float = Field(default=0.25, ge=0, le=1)
    """Share of steps on batches that several levels may train on; with nothing to take a step is private."""
    weight: float = Field(default=3.0, ge=0)
    """Factor of the distillation term after the ramp; only peers that know a batch better take part in it."""
    burn_in_steps: int = Field(default=60, ge=0)
    """Steps with cross-entropy alone: untrained peers harm each other."""
    ramp_steps: int = Field(default=60, ge=0)
    """Steps over which the factor grows from zero to `weight`."""
    head_k: int = Field(default=14, ge=1, le=256)
    """Exact most likely ids per token; the ends of line and text are sent besides (4 ids), which makes 100 bytes."""
    tail_samples: int = Field(default=16, ge=1, le=256)
    """Ids drawn from the teacher's distribution outside the head."""
    upward_margin_nats: float = Field(default=0.0, ge=0)
    """A smaller level teaches a larger one only on batches whose tokens it knows better by this much, on average."""
    teachers: dict[str, tuple[str, ...]] = {}
    """By level name, the levels it listens to; one not named here listens to all others."""
    keep_records: int = Field(default=32, ge=1)
    """Newest records the exchange holds per level."""
    max_staleness_steps: int = Field(default=200, ge=1)
    """Records whose teacher has moved on by more steps are not used."""
    record: bool = False
    """Write down what every worker heard, in the run folder: its steps can then be made again exactly, to look into them."""


class CheckpointsConfig(Settings):
    """What becomes of checkpoints besides being written into the run folder."""

    upload: bool = False
    """Copy them to S3 while training goes on, so that the run outlives its machine: the same command goes on elsewhere.
    With the embedded S3 of a single machine the copies lie on the same disk and are worth nothing."""


class EvaluationConfig(Settings):
    """How much held-out code the closing table is measured on."""

    max_windows: int = Field(default=64, gt=0)
    """Windows for bits per byte and next-token accuracy, per split."""
    max_lines: int = Field(default=100, gt=0)
    """Held-out lines for exact match and edit similarity."""
    max_line_tokens: int = Field(default=48, gt=0)


class TrainConfig(Settings):
    """One YAML file is one complete run."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    nest: str = Field(default="default", pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    """The nest whose next version this run becomes."""
    seed: int = Field(default=0, ge=0)
    corpus: CorpusConfig
    tokenizer: TokenizerSource = TokenizerConfig()
    memory: MemoryConfig = MemoryConfig()
    windows: WindowConfig = WindowConfig()
    levels: tuple[LevelConfig, ...] = Field(min_length=1)
    """From the smallest to the largest."""
    remote_levels: tuple[RemoteLevel, ...] = ()
    """Models behind an endpoint that teach the levels; those written among `levels` come here."""
    distill: DistillConfig = DistillConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    review: ReviewTrainingConfig = ReviewTrainingConfig()
    continual: ContinualConfig = ContinualConfig()
    max_failures: int = Field(default=3, ge=0)
    """Restarts of one level's workers before that level is given up."""

    @model_validator(mode="before")
    @classmethod
    def _remote_levels_stand_apart(cls, values: Any) -> Any:
        """`{name: ..., model: {type: remote, ...}}` among the levels is a remote level."""
        if not isinstance(values, dict):
            return values
        values = cast("dict[str, Any]", values)
        levels: Any = values.get("levels")
        if not isinstance(levels, list | tuple):
            return values
        levels = cast("list[Any]", levels)
        remote = [level for level in levels if _is_remote(level)]
        return {
            **values,
            "levels": [level for level in levels if not _is_remote(level)],
            "remote_levels": [*values.get("remote_levels", ()), *remote],
        }

    @property
    def level_names(self) -> list[str]:
        """All who may teach: the levels, then the remote ones."""
        return [level.name for level in (*self.levels, *self.remote_levels)]

    @model_validator(mode="after")
    def _level_names_differ(self) -> TrainConfig:
        names = self.level_names
        if len(set(names)) < len(names):
            raise ValueError(f"level names must differ, found {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _levels_with_an_update_frequency_exist(self) -> TrainConfig:
        names = [level.name for level in self.levels]
        for name, every in self.continual.update_every.items():
            if name not in names:
                raise ValueError(
                    f"continual.update_every names {name!r}; the levels are {', '.join(names)}"
                )
            if every < 1:
                raise ValueError(f"continual.update_every.{name} must be at least 1, found {every}")
        return self

    @model_validator(mode="after")
    def _reviewing_levels_exist(self) -> TrainConfig:
        names = [level.name for level in self.levels]
        for name in self.review.levels:
            if name not in names:
                raise ValueError(f"review.levels names {name!r}; the levels are {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _teachers_exist(self) -> TrainConfig:
        names = self.level_names
        remote = {level.name for level in self.remote_levels}
        for student, teachers in self.distill.teachers.items():
            if student in remote:
                raise ValueError(f"distill.teachers: {student} is remote and learns nothing")
            for name in (student, *teachers):
                if name not in names:
                    raise ValueError(
                        f"distill.teachers names {name!r}; the levels are {', '.join(names)}"
                    )
            if student in teachers:
                raise ValueError(f"distill.teachers: {student} cannot be its own teacher")
        return self


def _is_remote(level: Any) -> bool:
    model: Any = cast("dict[str, Any]", level).get("model") if isinstance(level, dict) else None
    return isinstance(model, dict) and cast("dict[str, Any]", model).get("type") == "remote"
