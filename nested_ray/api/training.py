"""Training over HTTP: what a session is asked for and how it is described."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from nested_ray.api.analysis import LevelName, Path
from nested_ray.api.schemas import Name, Text, WireModel

SessionState = Literal[
    "queued", "training", "evaluating", "cancelling", "finished", "failed", "cancelled"
]


class Sample(WireModel):
    """One file to learn from."""

    path: Path
    """Where it stands in its code base, relative to the root; its ending names the language."""
    text: Text


class LevelSettings(WireModel):
    """What a request changes about one level of the train config."""

    focus: LevelName | None = None
    """What the level sees: a window, + the file, + the repository."""
    weight: float | None = Field(default=None, gt=0, le=1)
    """Share in the ensemble."""
    max_steps: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1)
    """Examples per worker and batch."""
    learning_rate: float | None = Field(default=None, gt=0, le=1)
    """After warm-up."""


class TrainRequest(WireModel):
    """`POST /api/v1/nested-learning/train`."""

    train_config: Name
    """One of the train configs that the operator allows, by name."""
    dataset: Annotated[tuple[Sample, ...], Field(min_length=1)] | None = None
    """Code to learn instead of the config's own sources."""
    levels: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Levels of the config that are trained; all of them when left out."""
    model: Name | None = None
    """The nest whose next version the result becomes; the config's own when left out."""
    config: dict[Name, LevelSettings] = {}
    """By level name, what is different from the train config."""


class TrainingMetrics(BaseModel):
    """The levels that have made a step, weighted as in the ensemble; on code they are training on."""

    accuracy: float | None
    """Share of next tokens that were predicted right."""
    loss: float | None
    """Cross-entropy, nats per token."""


class LevelTraining(BaseModel):
    """How far one level is."""

    name: str
    focus: str
    state: Literal["waiting", "training", "done"]
    progress: float
    """0 to 1."""
    step: int
    max_steps: int
    loss: float | None = None
    accuracy: float | None = None
    tokens_per_second: float | None = None
    targets_published: int = 0
    """Records of soft targets that it offered to the other levels."""
    targets_used: int = 0
    """Those of other levels that it learned from."""
    estimated_s: float | None = None
    """Until its last step; null until two of its steps have been seen."""


class TrainingSession(BaseModel):
    """One session."""

    id: str
    status: SessionState
    train_config: str
    model: str
    version: str | None
    """What was registered, such as `default@4`; null until then."""
    progress: float
    """Share of all levels' steps that are made, 0 to 1."""
    current_level: str | None
    """Levels train side by side: the one that has furthest to go."""
    levels: list[LevelTraining]
    metrics: TrainingMetrics
    estimated_s: float | None
    """Until the last level's last step: at the speed measured here, before that at the speed of the last session
    with this config; null where neither is known. Preparing and evaluating come on top."""
    attempts: int
    """How often it was started; more than 1 after a resume."""
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None
    """Why it failed."""
    log: list[str] = []
    """The last lines that the run printed; only where one session is asked for."""


class TrainingList(BaseModel):
    """`GET /api/v1/nested-learning/train`, newest first."""

    sessions: list[TrainingSession]
