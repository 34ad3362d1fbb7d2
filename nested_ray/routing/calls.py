"""Calls to levels of one request: bounded by its deadline, timed, and remembered when they fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import TypeVar

from nested_ray.errors import InferenceError, LevelUnavailable, Overloaded, PromptTooLong
from nested_ray.inference.base import Usage
from nested_ray.routing.base import Ask, Latency, LevelAnswer, LevelClient, StreamPart
from nested_ray.routing.breaker import Breaker
from nested_ray.routing.experiments import Arm

T = TypeVar("T")
Clock = Callable[[], float]


class OutOfTime(LevelUnavailable):
    """A level computed longer than the request has time for; that says nothing about the level."""


class LevelCalls:
    """Asks the levels of one arm on behalf of one request."""

    def __init__(
        self,
        clients: Mapping[str, LevelClient],
        arm: Arm,
        *,
        deadline: float,
        breaker: Breaker,
        clock: Clock = time.perf_counter,
    ) -> None:
        self.arm = arm
        self.answered: list[str] = []
        self.skipped: dict[str, str] = {}
        self.usage = Usage(0, 0)
        self.cache_missed = False
        self._failures: list[Exception] = []
        self._full: set[str] = set()
        self._clients = clients
        self._breaker = breaker
        self._clock = clock
        self._started = clock()
        self._deadline = deadline
        self._queue_ms = 0.0
        self._engine_ms = 0.0
        self._verify_ms = 0.0

    def in_turn(self, levels: Sequence[str]) -> Iterator[str]:
        """The levels in order, without those that rest after a failure; these come last, if nobody answered."""
        resting: list[str] = []
        for level in levels:
            if len(levels) == 1 or self._is_awake(level):
                yield level
            else:
                resting.append(level)
        if not self.answered:
            yield from resting

    def awake(self, levels: Sequence[str]) -> list[str]:
        """Those that do not rest after a failure; all of them when every one does."""
        return [level for level in levels if self._is_awake(level)] or list(levels)

    async def generate(self, level: str, ask: Ask, *, share: float = 1.0) -> LevelAnswer | None:
        """The level's answer within `share` of the time left; None when it cannot answer."""
        started = self._clock()
        call = self._clients[level].generate(self.arm.version, ask.prompt, ask.params, ask.n)
        answer = await self._bounded(level, call, share)
        self._count(self._ms_since(started), answer.engine_ms if answer else 0.0)
        if answer is not None:
            self.took_part(level, answer.usage)
        return answer

    async def generate_all(self, levels: Sequence[str], ask: Ask) -> dict[str, LevelAnswer]:
        """The answers of those that answer, asked side by side; the slowest one's time counts."""
        started = self._clock()
        calls = (
            self._bounded(
                level,
                self._clients[level].generate(self.arm.version, ask.prompt, ask.params, ask.n),
                1.0,
            )
            for level in levels
        )
        found = zip(levels, await all_of(calls), strict=True)
        answers = {level: answer for level, answer in found if answer is not None}
        for level, answer in answers.items():
            self.took_part(level, answer.usage)
        engine_ms = max((answer.engine_ms for answer in answers.values()), default=0.0)
        self._count(self._ms_since(started), engine_ms)
        return answers

    async def score_all(
        self, levels: Sequence[str], ask: Ask, texts: list[str]
    ) -> dict[str, tuple[float, ...]]:
        """What each level that answers thinks of every text; the slowest one's time counts."""
        started = self._clock()
        calls = (
            self._bounded(
                level, self._clients[level].score(self.arm.version, ask.prompt, texts), 1.0
            )
            for level in levels
        )
        found = zip(levels, await all_of(calls), strict=True)
        scores = {level: each for level, each in found if each is not None}
        engine_ms = max((each.engine_ms for each in scores.values()), default=0.0)
        self._count(self._ms_since(started), engine_ms)
        return {level: each.mean_logprobs for level, each in scores.items()}

    async def stream(
        self, level: str, ask: Ask, *, share: float = 1.0
    ) -> AsyncGenerator[StreamPart]:
        """The level's parts as they come, the first within `share` of the time left.

        Raises OutOfTime when a part does not come in time.
        """
        parts = self._clients[level].stream(self.arm.version, ask.prompt, ask.params)
        started = self._clock()
        engine_ms = 0.0
        try:
            while True:
                part = await self._in_time(level, anext(parts, None), share)
                if part is None:
                    return
                engine_ms, share = part.engine_ms, 1.0
                yield part
        finally:
            self._count(self._ms_since(started), engine_ms)
            if close := getattr(parts, "aclose", None):
                await close()

    async def verify(self, judge: Callable[[], T], *, size: int) -> T:
        """Run a judgement and count its time; long texts are judged beside the event loop."""
        started = self._clock()
        try:
            return await asyncio.to_thread(judge) if size > 16_384 else judge()
        finally:
            self._verify_ms += self._ms_since(started)

    def latency(self) -> Latency:
        """Where the time since the request's start went."""
        total = self._ms_since(self._started)
        spent = self._queue_ms + self._engine_ms + self._verify_ms
        return Latency(
            router_ms=max(0.0, total - spent),
            queue_ms=self._queue_ms,
            engine_ms=self._engine_ms,
            verify_ms=self._verify_ms,
        )

    def took_part(self, level: str, usage: Usage) -> None:
        """Remember that a level answered, and the tokens it generated."""
        self.answered.append(level)
        self.skipped.pop(level, None)
        self._breaker.succeeded((self.arm.version, level))
        self.usage = Usage(
            max(self.usage.prompt_tokens, usage.prompt_tokens),
            self.usage.completion_tokens + usage.completion_tokens,
        )

    def skip(self, level: str, error: Exception) -> None:
        """Remember that a level could not answer."""
        self.skipped[level] = str(error)
        if isinstance(error, LevelUnavailable) and not isinstance(error, OutOfTime):
            self._breaker.failed((self.arm.version, level))
        if isinstance(error, Overloaded):
            self._full.add(level)
        self._failures.append(error)

    def shed(self) -> tuple[str, ...]:
        """The skipped levels that were full."""
        return tuple(level for level in self.skipped if level in self._full)

    def nobody_answered(self) -> Exception:
        """The error of a request that no level answered: load first, then ours."""
        for error in self._failures:
            if isinstance(error, Overloaded):
                return error
        reasons = "; ".join(f"{level}: {reason}" for level, reason in self.skipped.items())
        was_slow = any(isinstance(error, OutOfTime) for error in self._failures)
        advice = "lower max_tokens or n, or try again" if was_slow else "try again in a moment"
        return LevelUnavailable(f"no level could answer ({reasons}); {advice}")

    def _is_awake(self, level: str) -> bool:
        if self._breaker.allows((self.arm.version, level)):
            return True
        self.skipped[level] = "it failed a moment ago"
        return False

    async def _bounded(self, level: str, call: Awaitable[T], share: float) -> T | None:
        try:
            return await self._in_time(level, call, share)
        except PromptTooLong:
            raise  # the limit is the nest's: no other level takes more
        except (InferenceError, Overloaded) as error:
            self.skip(level, error)
            return None

    async def _in_time(self, level: str, call: Awaitable[T], share: float) -> T:
        left_s = max(0.0, (self._deadline - self._clock()) * share)
        try:
            return await asyncio.wait_for(call, left_s)
        except TimeoutError as exc:
            raise OutOfTime(f"{level} did not answer within {left_s:.1f} s") from exc

    def _count(self, call_ms: float, engine_ms: float) -> None:
        engine_ms = min(engine_ms, call_ms)
        self._engine_ms += engine_ms
        self._queue_ms += call_ms - engine_ms

    def _ms_since(self, started: float) -> float:
        return (self._clock() - started) * 1000


async def all_of(calls: Iterable[Awaitable[T]]) -> list[T]:
    """All results; the first failure ends the other calls."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
