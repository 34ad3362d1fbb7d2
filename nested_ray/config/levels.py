"""The levels of a nest: what each one sees, what it is, and how it learns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag, model_validator

from nested_ray.config.base import Settings, by_type

LevelKind = Literal["syntax", "semantics", "architecture"]
"""What a level sees; each kind's context contains the one before."""


class ScratchModel(Settings):
    """A small decoder with random weights, made by transformers from a size preset."""

    type: Literal["scratch"] = "scratch"
    preset: Literal["nano", "micro", "mini", "small", "base"] = "nano"
    """Size; `nested_ray/models/scratch.py` lists widths, layers and parameter counts."""


class LoraConfig(Settings):
    """Low-rank adapters: the weights themselves stay as they are, and only their corrections are learned."""

    rank: int = Field(default=16, gt=0)
    alpha: int = Field(default=32, gt=0)
    """The correction is scaled by `alpha / rank`."""
    modules: tuple[str, ...] = ()
    """Names of linear layers (`q_proj`); empty means every linear layer below the output."""


class FineTuned(Settings):
    """How a level that starts from learned weights goes on learning."""

    lora: LoraConfig | None = None
    """Train adapters and the embedding instead of every weight; the saved level is whole either way."""
    weights: Literal["fp32", "bf16"] = "fp32"
    """Format of the frozen weights on a GPU. `bf16` halves their memory and needs `lora`: a full
    fine-tuning's small updates would be rounded away."""
    num_layers: int | None = Field(default=None, gt=0)
    """Only so many of its layers: a smaller level cut from a larger model, to be distilled back."""
    keep: Literal["first", "spread"] = "first"
    """Which layers `num_layers` keeps: the first ones, or evenly spread ones with the first and the last among them,
    which are closer to what the output layer expects."""

    @model_validator(mode="after")
    def _only_frozen_weights_are_rounded(self) -> FineTuned:
        if self.weights == "bf16" and self.lora is None:
            raise ValueError("weights: bf16 needs lora; without it set weights: fp32")
        return self


class PretrainedModel(FineTuned):
    """A causal language model of transformers under the nest's vocabulary: safetensors or GGUF, no pickle, no code."""

    type: Literal["pretrained"] = "pretrained"
    source: str = Field(min_length=1)
    """A folder, a `.gguf` file, `package:NAME` for the one model file that an installed package carries, or a hub id
    such as `Qwen/Qwen2.5-Coder-0.5B`."""
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    allow_download: bool = False
    """Whether a hub id may be fetched; otherwise it must be in the local cache."""


class RegistryModel(FineTuned):
    """A level of a registered nest version, its vocabulary replaced where it differs."""

    type: Literal["registry"] = "registry"
    nest: str
    version: int | str = "champion"
    """A number or an alias."""
    level: str
    """The level's name in that version."""


ModelSource = Annotated[
    Annotated[ScratchModel, Tag("scratch")]
    | Annotated[PretrainedModel, Tag("pretrained")]
    | Annotated[RegistryModel, Tag("registry")],
    by_type("scratch"),
]


class ScheduleFreeLR(Settings):
    """Schedule-Free AdamW: no schedule, so no end that must be known."""

    type: Literal["schedule_free"] = "schedule_free"
    peak: float = Field(default=4e-3, gt=0)
    """Learning rate after warm-up."""
    warmup_steps: int = Field(default=40, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)


class AdaptiveLR(Settings):
    """Schedule-Free AdamW whose peak follows the slope of the level's own loss."""

    type: Literal["adaptive"]
    peak: float = Field(default=4e-3, gt=0)
    """Where the search starts; warm-up multiplies what it finds."""
    max_factor: float = Field(default=32, ge=1)
    """The peak stays within `peak / max_factor` and `peak * max_factor`."""
    warmup_steps: int = Field(default=40, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)


class ProdigyLR(Settings):
    """Prodigy with Schedule-Free averaging: the rate is the estimated distance to the solution."""

    type: Literal["prodigy"]
    start: float = Field(default=1e-6, gt=0)
    """First estimate, to be too small: it only ever grows, by at most 19 % per update."""
    scale: float = Field(default=1.0, gt=0)
    """Multiplies what is estimated."""
    weight_decay: float = Field(default=0.01, ge=0)


LearningRate = Annotated[
    Annotated[ScheduleFreeLR, Tag("schedule_free")]
    | Annotated[AdaptiveLR, Tag("adaptive")]
    | Annotated[ProdigyLR, Tag("prodigy")],
    by_type("schedule_free"),
]


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
    """Workers that learn this level together, each from batches of its own."""
    sharding: Literal["none", "full"] = "none"
    """`full` shares weights, gradients and optimiser out among the workers (FSDP), for a level too large for one
    GPU; `none` keeps them whole on each (DDP), which is faster."""
    activation_checkpointing: bool = False
    """Compute each layer twice instead of keeping what it computed: less memory, about a third more time."""
    compile: bool = False
    """`torch.compile` the layers: needs a C++ compiler on every worker and about a minute before the first step."""
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
    lr: LearningRate = ScheduleFreeLR()
    budget: TrainingBudget = TrainingBudget()

    @model_validator(mode="after")
    def _prodigy_sees_whole_weights(self) -> LevelConfig:
        if self.lr.type == "prodigy" and self.budget.sharding == "full":
            raise ValueError(
                f"lr of {self.name}: prodigy estimates its rate from whole weights and cannot be used with "
                "sharding: full; take schedule_free or adaptive"
            )
        return self

    @model_validator(mode="after")
    def _learned_weights_have_their_own_rate(self) -> LevelConfig:
        if self.lr.type == "prodigy":
            return self
        fixed = self.lr.type == "schedule_free"
        if self.model.type != "scratch" and fixed and "peak" not in self.lr.model_fields_set:
            raise ValueError(
                f"set lr.peak of {self.name}: the default is for random weights and would undo what "
                "the model knows; usual values are 0.00002 for all weights, 0.0002 with lora"
            )
        return self
