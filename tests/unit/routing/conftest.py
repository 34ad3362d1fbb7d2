"""Levels that answer what a test tells them to, and nests made of them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from nested_ray.config.routing import RoutingConfig
from nested_ray.inference.base import Prompt, SamplingParams, TokenLogprob, Usage
from nested_ray.routing import (
    Answer,
    Arm,
    Ask,
    Completion,
    LevelAnswer,
    LevelFacts,
    Router,
    Verifier,
)
from nested_ray.routing.base import Scores, StreamPart

LEVELS = ("syntax", "semantics", "architecture")
WEIGHTS = {"syntax": 0.3, "semantics": 0.5, "architecture": 0.2}


@dataclass
class ScriptedLevel:
    """A LevelClient that says one text with one probability per token, or raises, or hangs."""

    text: str = "pass"
    probability: float = 0.9
    error: Exception | None = None
    fails_after: Exception | None = None
    """Raised where the last part of a stream would come."""
    hangs: bool = False
    scores: dict[str, float] = field(default_factory=dict)
    """Probability that it gives to other levels' texts."""
    calls: list[tuple[str, int]] = field(default_factory=list)
    was_cancelled: bool = False

    async def generate(
        self, version: int, prompt: Prompt, params: SamplingParams, n: int
    ) -> LevelAnswer:
        await self._called("generate", version)
        return LevelAnswer((self.completion(),) * n, Usage(3, 1), engine_ms=0.0)

    async def stream(
        self, version: int, prompt: Prompt, params: SamplingParams
    ) -> AsyncIterator[StreamPart]:
        await self._called("stream", version)
        try:
            for letter in self.text[:-1]:
                yield StreamPart(letter, ())
            if self.fails_after:
                raise self.fails_after
            completion = self.completion()
            yield StreamPart(self.text[-1:], completion.tokens, "stop", Usage(3, 1))
        except GeneratorExit:
            self.was_cancelled = True
            raise

    async def score(self, version: int, prompt: Prompt, continuations: Sequence[str]) -> Scores:
        await self._called("score", version)
        logprobs = (math.log(self.scores.get(text, self.probability)) for text in continuations)
        return Scores(tuple(logprobs), engine_ms=0.0)

    def completion(self) -> Completion:
        token = TokenLogprob(7, self.text, math.log(self.probability))
        return Completion(self.text, (token,), "stop")

    async def _called(self, kind: str, version: int) -> None:
        self.calls.append((kind, version))
        if self.hangs:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise
        if self.error:
            raise self.error


class DictCache:
    """A response cache that forgets nothing."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    async def get(self, key: str) -> object:
        return self.values.get(key)

    async def set(self, key: str, value: object, ttl_s: float) -> None:
        self.values[key] = value


def arm(version: int = 1, name: str | None = None, weight: float = 1.0, **thresholds: float) -> Arm:
    levels = tuple(LevelFacts(each, each, WEIGHTS[each], thresholds.get(each)) for each in LEVELS)
    return Arm("default", version, levels, f"files of {version}", name, weight)


def ask(prefix: str = "x = 1\n", suffix: str = "", **fields: object) -> Ask:
    return Ask(Prompt(prefix, suffix), SamplingParams(), **fields)  # type: ignore[arg-type]


@pytest.fixture
def levels() -> dict[str, ScriptedLevel]:
    return {name: ScriptedLevel() for name in LEVELS}


@pytest.fixture
def route(levels: dict[str, ScriptedLevel]) -> Callable[..., Answer]:
    """Route one Ask through a router with the given settings."""

    def run(asked: Ask | None = None, **settings: object) -> Answer:
        config = RoutingConfig(**settings)  # type: ignore[arg-type]
        router = Router([arm()], levels, config, Verifier())
        return asyncio.run(router.answer(asked or ask()))

    return run
