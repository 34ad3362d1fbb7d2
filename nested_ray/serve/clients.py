"""Deployments behind their Serve handles: levels as the router's LevelClient, and analysis."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from nested_ray.api.analysis import ArchitectureRequest, Document, ReviewRequest
from nested_ray.api.training import TrainingList, TrainingSession, TrainRequest
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
        return await answered(self._level, response)


class AnalysisClient:
    """Calls the replicas of code review and architecture."""

    def __init__(self, handle: DeploymentHandle[Any], timeout_s: float) -> None:
        self._handle = handle
        self._timeout_s = timeout_s

    async def review(self, request: ReviewRequest) -> Document:
        """Raises LevelUnavailable when no replica answers in time."""
        return await self._call(self._handle.review.remote(request))

    async def architecture(self, request: ArchitectureRequest) -> Document:
        """Raises LevelUnavailable when no replica answers in time."""
        return await self._call(self._handle.architecture.remote(request))

    async def _call(self, response: Any) -> Document:
        try:
            return await asyncio.wait_for(answered("analysis", response), self._timeout_s)
        except TimeoutError:
            raise LevelUnavailable(
                f"the analysis was not done within {self._timeout_s:g} s; send fewer files, "
                "or raise analysis.timeout_s in the serve config"
            ) from None


class TrainingClient:
    """Calls the replica that keeps the training sessions."""

    def __init__(self, handle: DeploymentHandle[Any], timeout_s: float) -> None:
        self._handle = handle
        self._timeout_s = timeout_s

    async def start(self, request: TrainRequest) -> TrainingSession:
        return await self._call(self._handle.start.remote(request))

    async def get(self, session: str) -> TrainingSession:
        return await self._call(self._handle.get.remote(session))

    async def sessions(self) -> TrainingList:
        return await self._call(self._handle.sessions.remote())

    async def cancel(self, session: str) -> TrainingSession:
        return await self._call(self._handle.cancel.remote(session))

    async def resume(self, session: str) -> TrainingSession:
        return await self._call(self._handle.resume.remote(session))

    async def _call(self, response: Any) -> Any:
        """Raises LevelUnavailable when the replica does not answer in time."""
        try:
            return await asyncio.wait_for(answered("training", response), self._timeout_s)
        except TimeoutError:
            raise LevelUnavailable(
                f"training: no answer within {self._timeout_s:g} s (training.timeout_s); "
                "GET the list of sessions to see whether the request was taken"
            ) from None


async def answered(name: str, response: Any) -> Any:
    """What a deployment answers; a cancelled call is cancelled there too."""
    with translated(name):
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
            again = type(cause)(str(cause))
            again.__dict__.update(vars(cause))  # such as when to ask again
            raise again from None
        logger.exception("level failed", extra={"level": level})
        raise LevelUnavailable(f"{level} failed: {type(cause).__name__}") from exc
    except (RayError, RayServeException) as exc:
        raise LevelUnavailable(f"{level} has no replica that answers") from exc
