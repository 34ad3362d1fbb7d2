from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from nested_ray.errors import InferenceError, PromptTooLong
from nested_ray.inference.base import Chunk, Prompt, SamplingParams, TokenLogprob
from nested_ray.serve.level import LOWEST_LOGPROB, LevelServer, samples


class LetterEngine:
    """Says the letters of `text`, waiting before each but the first until it is let go on."""

    def __init__(self, text: str = "abc") -> None:
        self.text = text
        self.go_on = threading.Event()
        self.go_on.set()
        self.num_streams = 0
        self.num_running = 0
        self.num_scored = 0
        self.num_counted = 0
        self.most_running = 0
        self.said: list[str] = []

    def num_prompt_tokens(self, prompt: Prompt) -> int:
        self.num_counted += 1
        return len(prompt.prefix)

    def stream(self, prompt: Prompt, params: SamplingParams) -> Iterator[Chunk]:
        if prompt.prefix == "too long":
            raise PromptTooLong("the prompt is too long")
        self.num_streams += 1
        self.num_running += 1
        self.most_running = max(self.most_running, self.num_running)
        try:
            for position, letter in enumerate(self.text):
                if position:
                    self.go_on.wait(10)
                self.said.append(letter)
                is_last = position == len(self.text) - 1
                token = TokenLogprob(ord(letter), letter, -math.inf, (("z", -math.inf),))
                yield Chunk(letter, (token,), "length" if is_last else None)
        finally:
            self.num_running -= 1

    def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        self.num_scored += len(continuations)
        self.go_on.wait(10)
        return [-float(len(text)) for text in continuations]


@pytest.fixture
def engine() -> LetterEngine:
    return LetterEngine()


@pytest.fixture
def server(engine: LetterEngine) -> LevelServer:
    return LevelServer("syntax", {3: engine})


def test_a_greedy_answer_is_computed_once_for_all_its_choices(server, engine):
    answer = asyncio.run(server.generate(3, Prompt("ab"), SamplingParams(), 3))
    assert [completion.text for completion in answer.completions] == ["abc"] * 3
    assert answer.completions[0].finish_reason == "length"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 3)
    assert engine.num_streams == 1


def test_sampled_choices_are_computed_each_with_a_seed_of_its_own(server, engine):
    params = SamplingParams(temperature=1.0, seed=7)
    answer = asyncio.run(server.generate(3, Prompt("ab"), params, 3))
    assert engine.num_streams == 3
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 9)
    assert engine.num_counted == 1
    assert [sample.seed for sample in samples(params, 3)] == [7, 8, 9]
    top = samples(SamplingParams(temperature=1.0, seed=2**63 - 1), 2)
    assert [sample.seed for sample in top] == [2**63 - 1, 0]


def test_impossible_tokens_are_reported_with_a_number_that_json_can_carry(server):
    answer = asyncio.run(server.generate(3, Prompt("ab"), SamplingParams(), 1))
    token = answer.completions[0].tokens[0]
    assert (token.logprob, token.top) == (LOWEST_LOGPROB, (("z", LOWEST_LOGPROB),))


def test_the_first_part_comes_at_once_and_later_ones_together(server, engine):
    engine.go_on.clear()

    async def read() -> list[str]:
        texts: list[str] = []
        async for part in server.stream(3, Prompt("ab"), SamplingParams()):
            if not texts:
                assert engine.said == ["a"]
                engine.go_on.set()
            texts.append(part.text)
        return texts

    assert asyncio.run(read()) == ["a", "bc"]


def test_the_last_part_of_a_stream_has_the_usage(server):
    async def read():
        return [part async for part in server.stream(3, Prompt("ab"), SamplingParams())]

    *_, last = asyncio.run(read())
    assert last.finish_reason == "length"
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (2, 3)


def test_leaving_a_stream_ends_the_generation(server, engine):
    engine.text = "a" * 1000
    engine.go_on.clear()

    async def read_one() -> None:
        stream = server.stream(3, Prompt("ab"), SamplingParams())
        await anext(stream)
        await stream.aclose()
        engine.go_on.set()
        # the one worker thread is free again
        await server.score(3, Prompt(""), ["x"])

    asyncio.run(read_one())
    assert engine.num_running == 0
    assert len(engine.said) < 1000


def test_a_cancelled_call_ends_the_generation_and_frees_its_turn(server, engine):
    engine.text = "a" * 1000
    engine.go_on.clear()

    async def story() -> None:
        call = asyncio.ensure_future(server.generate(3, Prompt("ab"), SamplingParams(), 1))
        while not engine.said:
            await asyncio.sleep(0.001)
        waiting = asyncio.ensure_future(server.generate(3, Prompt("ab"), SamplingParams(), 1))
        await asyncio.sleep(0)
        waiting.cancel()
        call.cancel()
        await asyncio.gather(call, waiting, return_exceptions=True)
        engine.go_on.set()
        await server.score(3, Prompt(""), ["x"])

    asyncio.run(story())
    assert engine.num_streams == 1
    assert len(engine.said) < 1000


def test_one_call_computes_at_a_time(server, engine):
    async def story() -> None:
        calls = [server.generate(3, Prompt("ab"), SamplingParams(), 1) for _ in range(4)]
        await asyncio.gather(*calls)

    asyncio.run(story())
    assert engine.most_running == 1
    assert engine.num_streams == 4


def test_the_event_loop_goes_on_while_the_engine_blocks(server, engine):
    engine.go_on.clear()

    async def story() -> str:
        call = asyncio.ensure_future(server.generate(3, Prompt("ab"), SamplingParams(), 1))
        started = time.monotonic()
        name = await asyncio.wait_for(server.ping(), 5)
        assert time.monotonic() - started < 5
        engine.go_on.set()
        await call
        return name

    assert asyncio.run(story()) == "syntax"


def test_scores_are_the_engines(server):
    scores = asyncio.run(server.score(3, Prompt(""), ["ab", "abc"] * 3))
    assert scores.mean_logprobs == (-2.0, -3.0) * 3
    assert scores.engine_ms >= 0


def test_scoring_ends_when_nobody_waits_for_it(server, engine):
    engine.go_on.clear()

    async def story() -> None:
        call = asyncio.ensure_future(server.score(3, Prompt(""), ["x"] * 100))
        while not engine.num_scored:
            await asyncio.sleep(0.001)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        engine.go_on.set()
        await server.generate(3, Prompt(""), SamplingParams(), 1)

    asyncio.run(story())
    assert 0 < engine.num_scored < 100


@pytest.mark.parametrize("call", ["generate", "stream"])
def test_an_engines_errors_reach_the_caller(server, call):
    async def ask() -> None:
        if call == "generate":
            await server.generate(3, Prompt("too long"), SamplingParams(), 1)
        else:
            await anext(server.stream(3, Prompt("too long"), SamplingParams()))

    with pytest.raises(PromptTooLong, match="the prompt is too long"):
        asyncio.run(ask())


def test_a_version_that_is_not_loaded_is_named_with_those_that_are(server):
    with pytest.raises(InferenceError, match="syntax serves versions 3, not 4"):
        asyncio.run(server.generate(4, Prompt(""), SamplingParams(), 1))
