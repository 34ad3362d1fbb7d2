"""The argument of the Serve application builder; the `args:` of a file in serve_configs/."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from nested_ray.config.base import Settings
from nested_ray.config.review import ReviewConfig
from nested_ray.config.routing import RoutingConfig


class AutoscalingSettings(Settings):
    """Replicas of one level, by ongoing requests."""

    min_replicas: int = Field(default=1, ge=0)
    max_replicas: int = Field(default=1, ge=1)
    target_ongoing_requests: float = Field(default=2.0, gt=0)
    upscale_delay_s: float = Field(default=5.0, ge=0)
    downscale_delay_s: float = Field(default=60.0, ge=0)

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> AutoscalingSettings:
        if self.min_replicas > self.max_replicas:
            raise ValueError(
                f"min_replicas {self.min_replicas} is above max_replicas {self.max_replicas}"
            )
        return self


class HealthSettings(Settings):
    """When a replica counts as dead, and how long it may take to stop."""

    check_period_s: float = Field(default=2.0, gt=0)
    check_timeout_s: float = Field(default=10.0, gt=0)
    graceful_shutdown_timeout_s: float = Field(default=5.0, ge=0)
    """A stopping replica may finish its ongoing requests for this long."""


class LevelServeConfig(Settings):
    """One level's deployment."""

    autoscaling: AutoscalingSettings = AutoscalingSettings()
    num_cpus: float = Field(default=0.1, ge=0)
    """Scheduling share of one replica; torch uses `num_threads` whatever this says."""
    num_gpus: float = Field(default=0.0, ge=0)
    num_threads: int = Field(default=1, ge=1)
    max_ongoing_requests: int = Field(default=4, ge=1)
    """Taken by one replica at once; one of them computes, the others wait beside it."""
    max_queued_requests: int = Field(default=64, ge=0)
    """Waiting for any replica of the level; the next one is answered with 429."""
    health: HealthSettings = HealthSettings()


class RouterServeConfig(Settings):
    """The router's deployment, which is also the HTTP door."""

    replicas: int = Field(default=1, ge=1)
    num_cpus: float = Field(default=0.1, ge=0)
    max_ongoing_requests: int = Field(default=256, ge=1)
    max_queued_requests: int = Field(default=256, ge=0)
    health: HealthSettings = HealthSettings()


class AnalysisConfig(Settings):
    """The deployment of code review and architecture."""

    replicas: int = Field(default=1, ge=0)
    """0: neither is offered."""
    num_cpus: float = Field(default=0.1, ge=0)
    """Scheduling share of one replica."""
    num_gpus: float = Field(default=0.0, ge=0)
    num_threads: int = Field(default=1, ge=1)
    """Of torch, where a model is asked."""
    max_body_bytes: int = Field(default=50_000_000, gt=0)
    max_files: int = Field(default=10_000, ge=1)
    timeout_s: float = Field(default=120.0, gt=0)
    """A request that takes longer is answered with 503."""
    max_ongoing_requests: int = Field(default=4, ge=1)
    """Taken by one replica at once; one of them computes, the others wait beside it."""
    max_queued_requests: int = Field(default=16, ge=0)
    """Waiting for any replica; the next one is answered with 429."""
    review: ReviewConfig = ReviewConfig()
    """What is looked for and how much of it is said, where a request does not say."""
    health: HealthSettings = HealthSettings(check_timeout_s=60)


class TrainingServeConfig(Settings):
    """Training over HTTP: a request names a train config that lies in `configs_dir`, never a path."""

    enabled: bool = False
    """Offer `/api/v1/nested-learning/train`. Whoever may ask then uses this cluster's computing time."""
    configs_dir: str = "train_configs"
    """Folder of the train configs that requests may name, `NAME.yaml` each; relative to where serving was started,
    as are relative paths inside those configs."""
    nests: tuple[str, ...] = ()
    """Nests that a request's `model` may name besides the config's own: a trained version becomes their candidate."""
    max_concurrent: int = Field(default=1, ge=1)
    """Sessions that train at once; the next one is queued."""
    max_queued: int = Field(default=8, ge=0)
    """Queued sessions; the next one is answered with 429."""
    sessions_per_hour: int = Field(default=10, ge=1)
    """New sessions in any 60 minutes; the next one is answered with 429."""
    max_steps: int = Field(default=10_000, ge=1)
    """Largest `max_steps` of a level in a request; what a config itself says is not bound by it."""
    max_batch_size: int = Field(default=64, ge=1)
    """Largest `batch_size` of a level in a request."""
    max_body_bytes: int = Field(default=50_000_000, gt=0)
    max_files: int = Field(default=10_000, ge=1)
    """Samples in one request."""
    timeout_s: float = Field(default=60.0, gt=0)
    """A request that takes longer is answered with 503; training itself has no such limit."""
    max_queued_requests: int = Field(default=32, ge=0)
    """Waiting for the replica; the next one is answered with 429."""
    health: HealthSettings = HealthSettings(check_timeout_s=60)


class LimitsConfig(Settings):
    """What one request may ask for; more is answered with a 4xx that names the limit."""

    max_body_bytes: int = Field(default=1_000_000, gt=0)
    max_prompts: int = Field(default=8, ge=1)
    """Prompts in one completion request."""
    max_n: int = Field(default=8, ge=1)
    """Choices per prompt."""
    max_tokens: int = Field(default=1024, ge=1)
    """Largest `max_tokens`."""
    default_tokens: int = Field(default=64, ge=1)
    """`max_tokens` of a request that names none."""
    max_total_tokens: int = Field(default=4096, ge=1)
    """Largest product of prompts, `n` and `max_tokens` in one request; it must be done in `request_timeout_s`."""
    max_stops: int = Field(default=4, ge=1)
    max_stop_chars: int = Field(default=256, ge=1)

    @model_validator(mode="after")
    def _default_is_allowed(self) -> LimitsConfig:
        if self.default_tokens > self.max_tokens:
            raise ValueError(
                f"default_tokens {self.default_tokens} is above max_tokens {self.max_tokens}"
            )
        if self.max_tokens > self.max_total_tokens:
            raise ValueError(
                f"max_tokens {self.max_tokens} is above max_total_tokens {self.max_total_tokens}"
            )
        return self


class ServeConfig(Settings):
    """Which nest is served, and how."""

    nest: str = "default"
    version: str = Field(default="champion", coerce_numbers_to_str=True)
    """Alias or version number; an `ab_split` in `routing` overrides it."""
    levels: dict[str, LevelServeConfig] = {}
    """By level name; levels not named here take the defaults."""
    router: RouterServeConfig = RouterServeConfig()
    routing: RoutingConfig = RoutingConfig()
    limits: LimitsConfig = LimitsConfig()
    analysis: AnalysisConfig = AnalysisConfig()
    training: TrainingServeConfig = TrainingServeConfig()
    api_key_hashes: tuple[str, ...] = ()
    """SHA-256 of the keys that may ask, in hex; `NESTED_RAY_API_KEYS_SHA256` (comma-separated) adds more. None: no key is needed."""
    require_api_key: bool = False
    """Refuse to start where no key hash is configured, instead of answering everybody."""

    @field_validator("api_key_hashes")
    @classmethod
    def _are_sha256(cls, hashes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_hash(each) for each in hashes)


def checked_hash(text: str) -> str:
    """The hash in lower case; raises ValueError without repeating it, since it may be a bare key."""
    text = text.strip().lower()
    if len(text) != 64 or any(letter not in "0123456789abcdef" for letter in text):
        raise ValueError(
            f"an API key hash is 64 hex digits, found {len(text)} characters; "
            "make one with `printf %s KEY | sha256sum`"
        )
    return text
