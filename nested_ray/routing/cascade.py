"""The router: the smallest level that is good enough answers, and the answer says which one that was."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from nested_ray.config.routing import RoutingConfig
from nested_ray.errors import InferenceError, ModelNotFound, Overloaded, PromptTooLong
from nested_ray.inference.ensemble import choose_candidate
from nested_ray.routing.base import (
    Answer,
    Ask,
    Choice,
    LevelAnswer,
    LevelClient,
    Shortcoming,
    StreamPart,
)
from nested_ray.routing.breaker import Breaker
from nested_ray.routing.cache import AnswerCache, NoCache, cache_key, dump_answer, load_answer
from nested_ray.routing.calls import Clock, LevelCalls
from nested_ray.routing.conclude import (
    as_shares,
    conclude,
    drop_broken,
    last_word,
    one_of_each_text,
    weights_among,
)
from nested_ray.routing.experiments import Arm, assign
from nested_ray.routing.policy import Route, choose_route, ensemble_weights, threshold_of
from nested_ray.routing.streams import Collected, Gate, replay
from nested_ray.routing.verify import Verifier, rank, shortcoming


class Router:
    """Chooses levels, judges their answers and escalates; knows neither HTTP nor Ray."""

    def __init__(
        self,
        arms: Sequence[Arm],
        clients: Mapping[str, LevelClient],
        config: RoutingConfig,
        verifier: Verifier,
        *,
        cache: AnswerCache | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        self.arms = tuple(arms)
        self.config = config
        self._clients = clients
        self._verifier = verifier
        self._cache = cache or NoCache()
        self._clock = clock
        self._breaker = Breaker(config.level_rest_s, clock)

    async def answer(self, ask: Ask) -> Answer:
        """Answer one prompt.

        Raises ModelNotFound or InvalidRequest for what cannot be routed, PromptTooLong from the first
        level that is asked, and Overloaded or LevelUnavailable when no level could answer.
        """
        calls = self._start(ask)
        route = choose_route(ask, calls.arm, self.config)
        if found := await self._recall(ask, calls):
            return found
        answer = await self._act(route, ask, calls)
        await self._remember(ask, calls, answer)
        return answer

    async def stream(self, ask: Ask) -> AsyncGenerator[StreamPart | Answer]:
        """Parts of the answer as they come, then the Answer itself.

        A cascade or an ensemble has decided before its first part; a level asked by name is passed
        on as it generates.
        """
        calls = self._start(ask)
        route = choose_route(ask, calls.arm, self.config)
        found = await self._recall(ask, calls)
        if found is None and route.action == "direct" and ask.n == 1:
            async with aclosing(self._stream_direct(route, ask, calls)) as parts:
                async for part in parts:
                    yield part
            return
        answer = found or await self._act(route, ask, calls)
        if found is None:
            await self._remember(ask, calls, answer)
        for part in replay(answer):
            yield part
        yield answer

    def deadline(self) -> float:
        """When a request that arrives now must be answered; for `Ask.deadline`."""
        return self._clock() + self.config.request_timeout_s

    def _start(self, ask: Ask) -> LevelCalls:
        return LevelCalls(
            self._clients,
            self._arm(ask),
            deadline=self.deadline() if ask.deadline is None else ask.deadline,
            breaker=self._breaker,
            clock=self._clock,
        )

    def _arm(self, ask: Ask) -> Arm:
        if ask.version is None:
            return assign(self.arms, salt=self.config.ab_salt, unit=ask.unit)
        for arm in self.arms:
            if arm.version == ask.version:
                return replace(arm, name=None)
        served = ", ".join(arm.label for arm in self.arms)
        raise ModelNotFound(f"version {ask.version} is not served here; served are {served}")

    async def _act(self, route: Route, ask: Ask, calls: LevelCalls) -> Answer:
        if route.action == "ensemble":
            return await self._ensemble(route, ask, calls)
        return await self._cascade(route, ask, calls)

    async def _cascade(self, route: Route, ask: Ask, calls: LevelCalls) -> Answer:
        """Ask level after level until one is good enough; if none is, the highest one's word stands."""
        tried: list[tuple[Choice, ...]] = []
        escalated: dict[str, Shortcoming] = {}
        for position, level in enumerate(calls.in_turn(route.levels)):
            share = 1.0 / (len(route.levels) - position)
            found = await calls.generate(level, ask, share=share)
            if found is None:
                continue
            tried.append(await self._judge(level, ask, found, calls))
            threshold = threshold_of(level, calls.arm, self.config)
            reason = shortcoming(tried[-1][0], threshold)
            if route.action == "direct" or reason is None:
                return conclude(route, calls, tried[-1], escalated)
            escalated[level] = reason
        if not tried:
            raise calls.nobody_answered()
        escalated.pop(tried[-1][0].level)  # the last one had nobody to pass it on to
        return conclude(route, calls, last_word(tried), escalated)

    async def _ensemble(self, route: Route, ask: Ask, calls: LevelCalls) -> Answer:
        """Every level proposes, every level judges every proposal, weights decide."""
        weights = weights_among(route.levels, ensemble_weights(calls.arm, self.config))
        found = await calls.generate_all(calls.awake(list(weights)), ask)
        if not found:
            raise calls.nobody_answered()
        proposals = [
            choice
            for level, answer in found.items()
            for choice in await self._judge(level, ask, answer, calls)
        ]
        candidates = drop_broken(one_of_each_text(proposals))
        if all(choice.filtered == "refused" for choice in candidates):
            return conclude(route, calls, tuple((candidates * ask.n)[: ask.n]))
        texts = [choice.completion.text for choice in candidates]
        scores = await calls.score_all(list(found), ask, texts)
        if not scores:
            raise calls.nobody_answered()
        decision = choose_candidate(scores, weights)
        scored = [
            replace(choice, confidence=score)
            for choice, score in zip(candidates, decision.scores, strict=True)
        ]
        # Stable, so that a tie goes to the candidate that choose_candidate named.
        ranked = sorted(scored, key=lambda choice: -choice.confidence)
        answer = conclude(route, calls, tuple((ranked * ask.n)[: ask.n]))
        shares = as_shares(decision.contributions, calls.arm.level_names)
        return replace(answer, level_contributions=shares)

    async def _stream_direct(
        self, route: Route, ask: Ask, calls: LevelCalls
    ) -> AsyncGenerator[StreamPart | Answer]:
        """Pass on the first level that begins to answer; once it began, nobody can take over."""
        gap = self._verifier.gap(ask.prompt)
        for position, level in enumerate(calls.in_turn(route.levels)):
            share = 1.0 / (len(route.levels) - position)
            collected, gate = Collected(), Gate(gap)
            try:
                async with aclosing(calls.stream(level, ask, share=share)) as parts:
                    async for part in parts:
                        collected.add(part)
                        passed = await calls.verify(partial(gate.take, part), size=_size(ask))
                        if passed is not None:
                            yield passed
            except (InferenceError, Overloaded) as error:
                if gate.has_passed or isinstance(error, PromptTooLong):
                    raise
                calls.skip(level, error)
                continue
            found = collected.answer()
            calls.took_part(level, found.usage)
            choices = await self._judge(level, ask, found, calls, num_sent=gate.num_chars)
            answer = conclude(route, calls, choices)
            await self._remember(ask, calls, answer)
            if gate.holds_back:
                yield gate.rest(choices[0], found.usage)
            yield answer
            return
        raise calls.nobody_answered()

    async def _judge(
        self, level: str, ask: Ask, found: LevelAnswer, calls: LevelCalls, *, num_sent: int = 0
    ) -> tuple[Choice, ...]:
        """The level's completions with their judgement, best first."""

        def judge() -> list[Choice]:
            return [
                self._verifier.judge(level, ask.prompt, ask.params, completion, num_sent=num_sent)
                for completion in found.completions
            ]

        choices = await calls.verify(judge, size=_size(ask))
        return tuple(sorted(choices, key=rank, reverse=True))

    async def _recall(self, ask: Ask, calls: LevelCalls) -> Answer | None:
        if not self._caches(ask):
            return None
        value = await self._cache.get(cache_key(ask, calls.arm, self.config))
        answer = load_answer(value) if value is not None else None
        if answer is None:
            calls.cache_missed = True
            return None
        return replace(
            answer,
            cached=True,
            cache_missed=False,
            arm=calls.arm.name,
            latency=calls.latency(),
        )

    async def _remember(self, ask: Ask, calls: LevelCalls, answer: Answer) -> None:
        # An answer given while a level was away must not outlive that level's absence.
        if self._caches(ask) and not answer.skipped:
            key = cache_key(ask, calls.arm, self.config)
            await self._cache.set(key, dump_answer(answer), self.config.cache_ttl_s)

    def _caches(self, ask: Ask) -> bool:
        return self.config.cache_ttl_s > 0 and ask.is_deterministic


def _size(ask: Ask) -> int:
    return len(ask.prompt.prefix) + len(ask.prompt.suffix)
