"""Remote levels: models behind an OpenAI-compatible endpoint that teach and are not trained."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from nested_ray.config.base import Settings


class RemoteModel(Settings):
    """A model asked through `/completions` of an OpenAI-compatible server, with log-probabilities."""

    type: Literal["remote"]
    base_url: str = Field(pattern=r"^https?://")
    """Such as `https://models.example/v1`; `/completions` is added."""
    model: str = Field(min_length=1)
    """What the server calls it."""
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds the key; the key itself is written nowhere."""
    top_logprobs: int = Field(default=5, ge=1, le=20)
    """Likeliest strings asked for per token; many servers give at most 5."""
    completion_tokens: int = Field(default=16, ge=1)
    """Longest completion per request."""
    prefixes_per_batch: int = Field(default=8, ge=1)
    """Requests per shared batch, each cut where a line begins."""
    max_requests: int = Field(default=2_000, ge=1)
    """Retries count as well; afterwards the level is silent."""
    max_tokens: int = Field(default=1_000_000, ge=1)
    """Prompt and completion tokens of all requests, as the server counts them."""
    timeout_s: float = Field(default=30.0, gt=0)
    max_retries: int = Field(default=4, ge=0)
    """Of one request that met a full, failing or silent server, at growing distances."""

    @field_validator("base_url")
    @classmethod
    def _holds_no_key(cls, value: str) -> str:
        parts = urlsplit(value)
        if "@" in parts.netloc or parts.query:
            raise ValueError("must hold no user, password or query; name the key's api_key_env")
        return value.rstrip("/")


class RemoteLevel(Settings):
    """A level that only teaches: it is neither trained nor served with the nest."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    model: RemoteModel
