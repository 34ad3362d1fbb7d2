"""A level's deployment: the engines of one level, in every served version, behind one worker thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from nested_ray.config.storage import StorageConfig
from nested_ray.errors import InferenceError
from nested_ray.inference.base import (
    Chunk,
    Engine,
    Prompt,
    SamplingParams,
    TokenLogprob,
    Usage,
)
from nested_ray.registry.records import NestVersion
from nested_ray.routing.base import Completion, LevelAnswer, Scores, StreamPart
from nested_ray.routing.streams import Collected
from nested_ray.serve.worker import Worker

# One message per token through two processes costs eight times as much as eight tokens a message.
FLUSH_S = 0.03
# JSON has no infinity; OpenAI reports impossible tokens with the same number.
LOWEST_LOGPROB = -9999.0
# An engine scores these in one pass; between passes it notices that nobody waits any more.
SCORED_AT_ONCE = 4
SEED_MASK = 2**63 - 1


class LevelServer:
    """Generates and scores for one level. One call computes at a time, the others wait their turn."""

    def __init__(self, level: str, engines: Mapping[int, Engine]) -> None:
        self._level = level
        self._engines = dict(engines)
        self._worker = Worker(f"level-{level}")

    async def generate(
        self, version: int, prompt: Prompt, params: SamplingParams, n: int
    ) -> LevelAnswer:
        """`n` completions; a cancelled call stops computing at its next token."""
        engine = self._engine(version)
        return await self._worker.run(lambda stop: complete(engine, prompt, params, n, stop))

    async def stream(
        self, version: int, prompt: Prompt, params: SamplingParams
    ) -> AsyncIterator[StreamPart]:
        """The first part at once, later ones gathered for a moment."""
        engine = self._engine(version)
        queue: asyncio.Queue[StreamPart | Exception] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def produce(stop: threading.Event) -> None:
            try:
                for part in parts(engine, prompt, params, stop):
                    loop.call_soon_threadsafe(queue.put_nowait, part)
            except Exception as error:
                loop.call_soon_threadsafe(queue.put_nowait, error)

        stop = threading.Event()
        producing = asyncio.ensure_future(self._worker.run(produce, stop))
        try:
            async for part in gathered(queue):
                yield part
        finally:
            stop.set()
            producing.cancel()

    async def score(self, version: int, prompt: Prompt, continuations: Sequence[str]) -> Scores:
        """Mean natural log-probability per token of each continuation."""
        engine = self._engine(version)
        return await self._worker.run(lambda stop: judge(engine, prompt, continuations, stop))

    async def ping(self) -> str:
        """The level's name; answers beside a computation."""
        return self._level

    def _engine(self, version: int) -> Engine:
        try:
            return self._engines[version]
        except KeyError:
            served = ", ".join(str(each) for each in self._engines)
            raise InferenceError(
                f"{self._level} serves versions {served}, not {version}; deploy the application again"
            ) from None


class LevelReplica(LevelServer):
    """A LevelServer that fetches its versions and loads their engines when its process starts."""

    def __init__(
        self, level: str, versions: Sequence[NestVersion], storage: StorageConfig, num_threads: int
    ) -> None:
        # Imported here: only replicas of levels need torch, the builder and the router do not.
        import torch

        from nested_ray.inference.loading import load_engine
        from nested_ray.registry import connect

        torch.set_num_threads(num_threads)
        with connect(storage) as registry:
            folders = {version.version: registry.fetch(version) for version in versions}
        engines = {
            number: load_engine(folder, level, num_threads=num_threads)
            for number, folder in folders.items()
        }
        super().__init__(level, engines)


def complete(
    engine: Engine, prompt: Prompt, params: SamplingParams, n: int, stop: threading.Event
) -> LevelAnswer:
    """Run the engine until `n` completions are there."""
    started = time.perf_counter()
    completions: list[Completion] = []
    usage = Usage(0, 0)
    num_prompt_tokens: int | None = None
    for sample in samples(params, n):
        collected = Collected()
        for part in parts(engine, prompt, sample, stop, num_prompt_tokens):
            collected.add(part)
        answer = collected.answer()
        completions += answer.completions
        num_prompt_tokens = answer.usage.prompt_tokens
        usage = Usage(num_prompt_tokens, usage.completion_tokens + answer.usage.completion_tokens)
    # Greedy choices are all the same, so one run stands for all of them.
    completions *= n // len(completions)
    return LevelAnswer(tuple(completions), usage, (time.perf_counter() - started) * 1000)


def judge(
    engine: Engine, prompt: Prompt, continuations: Sequence[str], stop: threading.Event
) -> Scores:
    """Score the continuations, a few in one pass, until all are done or `stop` is set."""
    started = time.perf_counter()
    mean_logprobs: list[float] = []
    for first in range(0, len(continuations), SCORED_AT_ONCE):
        check_wanted(stop)
        mean_logprobs += engine.score(prompt, continuations[first : first + SCORED_AT_ONCE])
    return Scores(tuple(mean_logprobs), (time.perf_counter() - started) * 1000)


def check_wanted(stop: threading.Event) -> None:
    """Raises InferenceError when nobody waits for the result any more."""
    if stop.is_set():
        raise InferenceError("the caller went away")


def samples(params: SamplingParams, n: int) -> list[SamplingParams]:
    """The runs that give `n` choices: one when greedy, else one per choice with a seed of its own."""
    if params.temperature == 0:
        return [params]
    if params.seed is None:
        return [params] * n
    return [replace(params, seed=(params.seed + i) & SEED_MASK) for i in range(n)]


def parts(
    engine: Engine,
    prompt: Prompt,
    params: SamplingParams,
    stop: threading.Event,
    num_prompt_tokens: int | None = None,
) -> Iterator[StreamPart]:
    """One part per chunk of the engine, until it ends or `stop` is set.

    `num_prompt_tokens` spares counting them again where they are known.
    """
    started = time.perf_counter()
    num_tokens = 0
    with ended_early(engine.stream(prompt, params)) as chunks:
        for chunk in chunks:
            check_wanted(stop)
            num_tokens += len(chunk.tokens)
            is_last = chunk.finish_reason is not None
            if is_last and num_prompt_tokens is None:
                num_prompt_tokens = engine.num_prompt_tokens(prompt)
            yield StreamPart(
                text=chunk.text,
                tokens=tuple(finite(token) for token in chunk.tokens),
                finish_reason=chunk.finish_reason,
                usage=Usage(num_prompt_tokens or 0, num_tokens) if is_last else None,
                engine_ms=(time.perf_counter() - started) * 1000,
            )


@contextmanager
def ended_early(chunks: Iterator[Chunk]) -> Iterator[Iterator[Chunk]]:
    """The chunks; a generator behind them lets go of its cache now and not when it is collected."""
    try:
        yield chunks
    finally:
        if close := getattr(chunks, "close", None):
            close()


def finite(token: TokenLogprob) -> TokenLogprob:
    """The token with log-probabilities that JSON can carry."""
    logprobs = (token.logprob, *(logprob for _, logprob in token.top))
    if all(logprob >= LOWEST_LOGPROB for logprob in logprobs):
        return token
    top = tuple((text, max(logprob, LOWEST_LOGPROB)) for text, logprob in token.top)
    return replace(token, logprob=max(token.logprob, LOWEST_LOGPROB), top=top)


async def gathered(queue: asyncio.Queue[StreamPart | Exception]) -> AsyncIterator[StreamPart]:
    """The parts in the queue until the last one; raises the first error that is in it."""
    until = 0.0
    while True:
        batch = await take(queue, until)
        for item in batch:
            if isinstance(item, Exception):
                raise item
        part = joined([item for item in batch if isinstance(item, StreamPart)])
        yield part
        if part.finish_reason is not None:
            return
        until = time.monotonic() + FLUSH_S


async def take(
    queue: asyncio.Queue[StreamPart | Exception], until: float
) -> list[StreamPart | Exception]:
    """At least one item, and what else comes before the time `until` or the end."""
    batch = [await queue.get()]
    while not ends(batch[-1]):
        if not queue.empty():
            batch.append(queue.get_nowait())
        elif (left_s := until - time.monotonic()) > 0:
            try:
                batch.append(await asyncio.wait_for(queue.get(), left_s))
            except TimeoutError:
                break
        else:
            break
    return batch


def ends(item: StreamPart | Exception) -> bool:
    return isinstance(item, Exception) or item.finish_reason is not None


def joined(batch: Sequence[StreamPart]) -> StreamPart:
    return replace(
        batch[-1],
        text="".join(part.text for part in batch),
        tokens=tuple(token for part in batch for token in part.tokens),
    )
