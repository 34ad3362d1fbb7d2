"""A level behind a Serve deployment handle, as the router's LevelClient."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from nested_ray.errors import LevelUnavailable, NestedRayError, Overloaded
from nested_ray.inference.base import Prompt, SamplingParams
from nested_ray.routing.base import LevelAnswer, Scores, StreamPart

logger = logging.getLogger(__name__)
T = TypeVar("T")


class HandleClient:
    """Calls one level's replicas; cancelling a call cancels the generation behind it."""

    def __init__(self, level: str, handle: DeploymentHandle[Any]) -> None:
        self._level = level
        self._handle = handle

    async def generate(
        self, version: int, prompt: Prompt, params: SamplingParams, n: int
    ) -> LevelAnswer:
        return await self._call(self._handle.generate.remote(version, prompt, params, n))

    async def stream(
        self, version: int, prompt: Prompt, params: SamplingParams
    ) -> AsyncIterator[StreamPart]:
        with translated(self._level):
            streaming: Any = self._handle.options(stream=True)
            response = streaming.stream.remote(version, prompt, params)
            ended = False
            try:
                async for part in response:
                    yield part
                ended = True
            finally:
                if not ended:
                    response.cancel()

    async def score(self, version: int, prompt: Prompt, continuations: Sequence[str]) -> Scores:
        return await self._call(self._handle.score.remote(version, prompt, list(continuations)))

    async def ping(self) -> None:
        """Raises LevelUnavailable when no replica answers."""
        await self._call(self._handle.ping.remote())

    async def _call(self, response: Any) -> Any:
        with translated(self._level):
            try:
                return await response
            except asyncio.CancelledError:
                response.cancel()
                raise


@contextmanager
def translated(level: str) -> Iterator[None]:
    """Ray's errors as ours: what the replica raised on purpose, too much load, or no replica."""
    try:
        yield
    except BackPressureError as exc:
        raise Overloaded(f"{level} has too many requests waiting; try again in a moment") from exc
    except RayTaskError as exc:
        cause = exc.cause
        if isinstance(cause, NestedRayError):
            raise type(cause)(str(cause)) from None
        logger.exception("level failed", extra={"level": level})
        raise LevelUnavailable(f"{level} failed: {type(cause).__name__}") from exc
    except (RayError, RayServeException) as exc:
        raise LevelUnavailable(f"{level} has no replica that answers") from exc
