"""A whole service over levels that answer what a test tells them to, behind its real HTTP door."""

from __future__ import annotations

import asyncio
import math
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

with warnings.catch_warnings():
    # Ray Serve 2.60 defines its settings in a way that pydantic calls deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import ray.serve  # noqa: F401

from nested_ray.api.native import LevelInfo, NestInfo
from nested_ray.config.serve import ServeConfig
from nested_ray.inference.base import Prompt, SamplingParams, TokenLogprob, Usage
from nested_ray.review.learned import NestParts
from nested_ray.routing import Answer, Arm, Completion, LevelAnswer, LevelFacts, Router, Verifier
from nested_ray.routing.base import Scores, StreamPart
from nested_ray.serve.analysis import AnalysisServer, Analyst
from nested_ray.serve.auth import ApiKeys
from nested_ray.serve.ingress import build_http
from nested_ray.serve.service import Service

LEVELS = {"syntax": 0.3, "semantics": 0.5, "architecture": 0.2}


@dataclass
class EchoLevel:
    """A LevelClient that answers `text`, one token per letter, each with probability 0.9."""

    text: str = "ok"
    error: Exception | None = None
    asked: list[tuple[Prompt, SamplingParams]] = field(default_factory=list)

    async def generate(
        self, version: int, prompt: Prompt, params: SamplingParams, n: int
    ) -> LevelAnswer:
        self._take(prompt, params)
        completion = Completion(self.text, self.tokens(params), "stop")
        return LevelAnswer((completion,) * n, Usage(5, len(self.text) * n), 1.0)

    async def stream(
        self, version: int, prompt: Prompt, params: SamplingParams
    ) -> AsyncIterator[StreamPart]:
        self._take(prompt, params)
        tokens = self.tokens(params)
        for token in tokens[:-1]:
            yield StreamPart(token.text, (token,))
        yield StreamPart(tokens[-1].text, tokens[-1:], "stop", Usage(5, len(tokens)))

    async def score(self, version: int, prompt: Prompt, continuations: Sequence[str]) -> Scores:
        return Scores((math.log(0.5),) * len(continuations), engine_ms=1.0)

    async def ping(self) -> None:
        if self.error:
            raise self.error

    def tokens(self, params: SamplingParams) -> tuple[TokenLogprob, ...]:
        top = (("x", -1.0), ("y", -2.0))[: params.num_top_logprobs]
        return tuple(TokenLogprob(ord(letter), letter, math.log(0.9), top) for letter in self.text)

    def _take(self, prompt: Prompt, params: SamplingParams) -> None:
        self.asked.append((prompt, params))
        if self.error:
            raise self.error


class ListMeter:
    """Remembers what was counted."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, int]] = []
        self.answers: list[Answer] = []

    def requested(self, task: str, status: int) -> None:
        self.requests.append((task, status))

    def answered(self, answer: Answer) -> None:
        self.answers.append(answer)


@dataclass
class Site:
    """A served application without a network."""

    levels: dict[str, EchoLevel]
    meter: ListMeter
    app: Any

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://nest")

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            async with self.client() as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def complete(self, **body: Any) -> httpx.Response:
        return self.request("POST", "/v1/completions", json={"prompt": "x = ", **body})

    def infer(self, **body: Any) -> httpx.Response:
        path = "/api/v1/nested-learning/infer"
        return self.request("POST", path, json={"input": "x = ", **body})


def run(call: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(call())  # type: ignore[arg-type]


def nest_info(version: int, arm: str | None = None) -> NestInfo:
    return NestInfo(
        id=f"default@{version}",
        name="default",
        version=version,
        aliases=["champion"],
        arm=arm,
        trained_at=datetime(2026, 1, 2, tzinfo=UTC),
        levels=[
            LevelInfo(
                name=name,
                kind=name,
                weight=weight,
                confidence_threshold=0.5,
                num_parameters=10,
                metrics={},
            )
            for name, weight in LEVELS.items()
        ],
        metrics={},
    )


@pytest.fixture
def make_site() -> Callable[..., Site]:
    def make(num_arms: int = 1, *, trainer: Any = None, **settings: Any) -> Site:
        config = ServeConfig.from_values(settings)
        levels = {name: EchoLevel() for name in LEVELS}
        facts = tuple(LevelFacts(name, name, weight) for name, weight in LEVELS.items())
        names = [None] if num_arms == 1 else ["a", "b", "c"][:num_arms]
        arms = [Arm("default", 1 + i, facts, f"nest-{i}", name) for i, name in enumerate(names)]
        meter = ListMeter()
        service = Service(
            config=config,
            router=Router(arms, levels, config.routing, Verifier()),
            nests=[nest_info(arm.version, arm.name) for arm in arms],
            keys=ApiKeys(config.api_key_hashes),
            probes={name: level.ping for name, level in levels.items()},
            meter=meter,
            analysis=AnalysisServer(Analyst(config.analysis, NestParts)),
            training=trainer,
        )
        return Site(levels, meter, build_http(service))

    return make


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()
