"""What goes through the router: an Ask comes in, LevelClients are asked, an Answer goes out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from nested_ray.inference.base import FinishReason, Prompt, SamplingParams, TokenLogprob, Usage

Action = Literal["cascade", "direct", "ensemble"]
Filtered = Literal["trimmed", "refused"]
"""`trimmed`: cut back to a beginning that fits; `refused`: nothing fits, so the answer is empty."""


@dataclass(frozen=True)
class Ask:
    """One prompt of a request."""

    prompt: Prompt
    params: SamplingParams
    n: int = 1
    """How many choices are wanted."""
    model: str = "auto"
    """`auto`, `ensemble` or the name of a level."""
    task: str = "completion"
    version: int | None = None
    """A served version asked for by number; it takes no part in the A/B split."""
    unit: str = ""
    """Who asks; the same unit always meets the same arm of an A/B split."""
    deadline: float | None = None
    """On the router's clock, one for all prompts of a request; None: a whole timeout from now."""

    @property
    def is_deterministic(self) -> bool:
        return self.params.temperature == 0 or self.params.seed is not None


@dataclass(frozen=True)
class Completion:
    """One finished answer of one level."""

    text: str
    tokens: tuple[TokenLogprob, ...]
    finish_reason: FinishReason


@dataclass(frozen=True)
class LevelAnswer:
    """What a level says to an Ask."""

    completions: tuple[Completion, ...]
    usage: Usage
    engine_ms: float
    """Time the engine computed, without waiting for its turn."""


@dataclass(frozen=True)
class Scores:
    """What a level thinks of several continuations."""

    mean_logprobs: tuple[float, ...]
    engine_ms: float
    """Time the engine computed, without waiting for its turn."""


@dataclass(frozen=True)
class StreamPart:
    """A piece of one completion as it is generated."""

    text: str
    tokens: tuple[TokenLogprob, ...]
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    """Set on the last part only."""
    engine_ms: float = 0.0
    """Time the engine has computed so far."""
    index: int = 0
    """Which choice it belongs to."""
    choice: Choice | None = None
    """The whole choice, on its last part, where it was judged before it was sent."""


class LevelClient(Protocol):
    """One level of every served version, wherever its replicas run.

    Raises LevelUnavailable when no replica answers, Overloaded when too many requests wait, and
    PromptTooLong when the prompt does not fit. Cancelling a call ends the generation behind it.
    """

    async def generate(
        self, version: int, prompt: Prompt, params: SamplingParams, n: int
    ) -> LevelAnswer: ...

    def stream(
        self, version: int, prompt: Prompt, params: SamplingParams
    ) -> AsyncIterator[StreamPart]: ...

    async def score(self, version: int, prompt: Prompt, continuations: Sequence[str]) -> Scores: ...


@dataclass(frozen=True)
class Choice:
    """A completion with the judgement that the router passed on it."""

    completion: Completion
    level: str
    """Who wrote it."""
    confidence: float
    parses: bool | None
    """Whether it parses in place; None where that cannot be told."""
    filtered: Filtered | None = None
    """What was done to an answer that would have broken its file; `completion` is what is left of it."""

    @property
    def is_broken(self) -> bool:
        """Whether the model meant something that does not fit; being cut by `max_tokens` is no fault."""
        was_cut_off = self.filtered == "trimmed" and self.completion.finish_reason == "length"
        return self.filtered is not None and not was_cut_off


class Reason(StrEnum):
    """Why an answer is not good enough."""

    BROKEN = "broken"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Shortcoming:
    """Why an answer is not good enough, for programs and for people."""

    reason: Reason
    detail: str


@dataclass(frozen=True)
class Latency:
    """Where the time of a request went; the four add up to the whole."""

    router_ms: float = 0.0
    queue_ms: float = 0.0
    """On the way to replicas, waiting for their turn, and back."""
    engine_ms: float = 0.0
    verify_ms: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What the router says: choices, best first, and how it came to them."""

    choices: tuple[Choice, ...]
    action: Action
    level: str
    """The level that decided: the author of the first choice."""
    level_contributions: dict[str, float]
    """Each level's share in the decision; they add up to 1."""
    confidence: float
    usage: Usage
    latency: Latency
    versions: dict[str, str]
    """Model version of every level that took part: `{"syntax": "default@3"}`."""
    arm: str | None
    escalated: dict[str, Shortcoming] = field(default_factory=dict[str, Shortcoming])
    """Levels whose answer was not good enough, with the reason; in the order in which they were asked."""
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    """Levels that should have been asked and could not answer, with the reason."""
    shed: tuple[str, ...] = ()
    """Those among the skipped that were full."""
    cached: bool = False
    cache_missed: bool = False
    """The cache was asked and did not hold it."""
