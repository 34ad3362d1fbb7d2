"""The Engine protocol: one model that continues code, whatever runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Prompt:
    """The place to complete. A level's engine makes the context it needs from it."""

    prefix: str
    suffix: str = ""
    path: str = ""
    language: str = "python"


LOWEST_TEMPERATURE = 1e-3
"""Below it, a token half a percent less likely than the likeliest would come once in 150 draws, and
ever more seldom: such answers are greedy."""


@dataclass(frozen=True)
class SamplingParams:
    """How to choose tokens; a `temperature` near 0 is greedy."""

    max_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    """Generation ends before any of these strings; they are not part of the answer."""
    seed: int | None = None
    num_top_logprobs: int = 0
    use_memory: bool = True
    """Mix verbatim memory into the model's distribution by the fitted weights."""

    @property
    def is_greedy(self) -> bool:
        """Whether every token is the likeliest one, whatever the seed."""
        return self.temperature < LOWEST_TEMPERATURE


@dataclass(frozen=True)
class TokenLogprob:
    """One generated token; log-probabilities are natural and of the mixed distribution."""

    token_id: int
    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Chunk:
    """A piece of an answer. Text is held back while it could still become a stop string or half a character."""

    text: str
    tokens: tuple[TokenLogprob, ...]
    finish_reason: FinishReason | None = None
    """Set on the last chunk only."""


@dataclass(frozen=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int


class Engine(Protocol):
    """One model of one nest version. Thread-compatible: a caller makes one call at a time."""

    def num_prompt_tokens(self, prompt: Prompt) -> int:
        """Tokens of prefix and suffix, before any truncation; raises nothing."""
        ...

    def stream(self, prompt: Prompt, params: SamplingParams) -> Iterator[Chunk]:
        """Continue the prompt; the first chunk comes as soon as its text is certain.

        Raises PromptTooLong when prefix and suffix do not fit the engine's `max_prompt_tokens`.
        """
        ...

    def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        """Mean natural log-probability per token of each continuation; -inf for an empty one."""
        ...
