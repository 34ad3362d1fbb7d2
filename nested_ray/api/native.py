"""The native dialect: `/api/v1/nested-learning/...`, which says more than OpenAI's has words for."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from nested_ray.api.schemas import Decision, Filtered, Name, Sampling, Text

BASE_PATH = "/api/v1/nested-learning"


class InferRequest(Sampling):
    """`POST /api/v1/nested-learning/infer`."""

    input: Text
    """The code before the cursor."""
    suffix: Text | None = None
    """The code behind the cursor."""
    task: Name = "completion"
    """`completion` goes on with the code; `line` ends at the end of the line."""
    use_all_levels: bool = False
    """Let every level propose and judge, instead of the smallest one that is good enough."""
    model_id: Name | None = None
    """The served nest (`default`, `default@3`), a level's name, or nothing."""


class Alternative(BaseModel):
    """One more choice, where `n` asked for several."""

    prediction: str
    confidence: float
    parses: bool | None
    filtered: Filtered | None = None


class InferResponse(Decision):
    """The prediction and how it came about."""

    id: str
    prediction: str
    finish_reason: Literal["stop", "length"]
    alternatives: list[Alternative]
    prompt_tokens: int
    completion_tokens: int


class LevelInfo(BaseModel):
    """One level of a served version."""

    name: str
    kind: str
    weight: float
    confidence_threshold: float
    num_parameters: int
    metrics: dict[str, float]


class NestInfo(BaseModel):
    """A served nest version."""

    id: str
    name: str
    version: int
    aliases: list[str]
    """As they were when this application was built."""
    arm: str | None
    """The arm of the A/B split that it serves."""
    trained_at: datetime
    levels: list[LevelInfo]
    metrics: dict[str, Any]
    """The evaluation report of its training run."""


class NestList(BaseModel):
    models: list[NestInfo]


class LevelHealth(BaseModel):
    """One level's deployment, asked just now."""

    status: Literal["ok", "unavailable"]
    detail: str | None = None


class Health(BaseModel):
    """`degraded` while a level cannot answer but another one can."""

    status: Literal["ok", "degraded", "unavailable"]
    levels: dict[str, LevelHealth]
    versions: list[str]
