"""The levels of a nest: what each one sees, what it is, and how it learns."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nested_ray.config.base import Settings

LevelKind = Literal["syntax", "semantics", "architecture"]
"""What a level sees; each kind's context contains the one before."""


class ScratchModel(Settings):
    """A small decoder with random weights, made by transformers from a size preset."""

    type: Literal["scratch"] = "scratch"
    preset: Literal["nano", "micro", "mini", "small", "base"] = "nano"
    """Size; `nested_ray/models/scratch.py` lists widths, layers and parameter counts."""


ModelSource = ScratchModel


class ScheduleFreeLR(Settings):
    """Schedule-Free AdamW: no schedule, so no end that must be known."""

    type: Literal["schedule_free"] = "schedule_free"
    peak: float = Field(default=4e-3, gt=0)
    """Learning rate after warm-up."""
    warmup_steps: int = Field(default=40, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)


class TrainingBudget(Settings):
    """How long and with what a level trains."""

    max_steps: int = Field(default=300, gt=0)
    """Updates of the weights."""
    micro_batch_size: int = Field(default=16, gt=0)
    """Examples per worker and batch."""
    update_every: int = Field(default=1, ge=1)
    """Batches whose gradients make one update (gradient accumulation); a slow level gathers more."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    num_workers: int = Field(default=1, gt=0)
    """DDP workers of this level."""
    use_gpu: bool | Literal["auto"] = "auto"
    """`auto`: a GPU per worker where the cluster has enough of them."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """`auto` measures a matrix product on the worker and takes bf16 where it is faster."""
    checkpoint_every_steps: int = Field(default=100, gt=0)


class LevelConfig(Settings):
    """One level of the nest."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    kind: LevelKind
    """What it sees: a window; + the file; + the repository."""
    model: ModelSource = ScratchModel()
    weight: float = Field(gt=0, le=1)
    """Share in the ensemble; weights are normalised over the levels that answer."""
    context_tokens: int = Field(default=0, ge=0)
    """Budget of the context this level adds before the window (file for semantics, repository for architecture)."""
    lr: ScheduleFreeLR = ScheduleFreeLR()
    budget: TrainingBudget = TrainingBudget()
