"""What the HTTP routes do, without HTTP and without Ray."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nested_ray.api.analysis import ArchitectureRequest, Document, ReviewRequest
from nested_ray.api.native import (
    Health,
    InferRequest,
    InferResponse,
    LevelHealth,
    NestInfo,
    NestList,
)
from nested_ray.api.openai import Completion, CompletionRequest, Model, ModelList
from nested_ray.api.training import TrainingList, TrainingSession, TrainRequest
from nested_ray.config.serve import ServeConfig
from nested_ray.errors import ModelNotFound, NestedRayError
from nested_ray.routing.base import Answer, Ask
from nested_ray.routing.calls import all_of
from nested_ray.routing.cascade import Router
from nested_ray.routing.policy import AUTO, known_tasks, model_names
from nested_ray.serve.auth import ApiKeys
from nested_ray.serve.meter import Meter
from nested_ray.serve.streaming import completion_chunks
from nested_ray.serve.wire import (
    completion_asks,
    completion_body,
    infer_ask,
    infer_body,
)

Probe = Callable[[], Awaitable[None]]
"""Raises when a level cannot answer."""
PROBE_TIMEOUT_S = 3.0


class Analysis(Protocol):
    """Looks at code that is sent."""

    async def review(self, request: ReviewRequest) -> Document: ...

    async def architecture(self, request: ArchitectureRequest) -> Document: ...


class Training(Protocol):
    """Trains nests on request."""

    async def start(self, request: TrainRequest) -> TrainingSession: ...

    async def get(self, session: str) -> TrainingSession: ...

    async def sessions(self) -> TrainingList: ...

    async def cancel(self, session: str) -> TrainingSession: ...

    async def resume(self, session: str) -> TrainingSession: ...


@dataclass(frozen=True)
class Service:
    """The application: its router, what it serves, and who may ask."""

    config: ServeConfig
    router: Router
    nests: Sequence[NestInfo]
    keys: ApiKeys
    probes: Mapping[str, Probe]
    meter: Meter
    analysis: Analysis | None = None
    """Code review and architecture, where they are offered."""
    training: Training | None = None
    """Training over HTTP, where the operator asked for it."""

    async def complete(self, request: CompletionRequest) -> Completion:
        """Answer every prompt of the request."""
        asks = self._asks(request)
        answers = await all_of([self._answer(ask) for ask in asks])
        return completion_body(request, answers, id=new_id("cmpl"), created=int(time.time()))

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Completion]:
        """The chunks of a streamed completion; prompts are answered one after the other."""
        asks = self._asks(request)
        events = (self.router.stream(ask) for ask in asks)
        return completion_chunks(
            request,
            events,
            id=new_id("cmpl"),
            created=int(time.time()),
            on_answer=self.meter.answered,
        )

    async def infer(self, request: InferRequest) -> InferResponse:
        """Answer one native request."""
        model, version = self.meaning_of(request.model_id)
        ask = infer_ask(
            request,
            model=model,
            version=version,
            limits=self.config.limits,
            unit=request.user or new_id("unit"),
        )
        return infer_body(await self._answer(ask), id=new_id("infer"))

    def meaning_of(self, model_id: str | None) -> tuple[str, int | None]:
        """A model_id as (model, version); raises ModelNotFound for one that is not served."""
        if model_id is None or model_id == self.config.nest:
            return AUTO, None
        for nest in self.nests:
            if model_id == nest.id:
                return AUTO, nest.version
        if model_id in self.model_names:
            return model_id, None
        raise ModelNotFound(
            f"there is no model {model_id!r}; served are {', '.join(nest.id for nest in self.nests)} "
            f"and the levels {', '.join(self.probes)}"
        )

    @property
    def model_names(self) -> tuple[str, ...]:
        return model_names(self.router.arms)

    def models(self) -> ModelList:
        created = int(max(nest.trained_at for nest in self.nests).timestamp())
        return ModelList(data=[Model(id=name, created=created) for name in self.model_names])

    def model(self, name: str) -> Model:
        for model in self.models().data:
            if model.id == name:
                return model
        raise ModelNotFound(f"there is no model {name!r}; use one of {', '.join(self.model_names)}")

    def nest_list(self) -> NestList:
        return NestList(models=list(self.nests))

    def nest(self, name: str) -> NestInfo:
        """By id (`default@3`) or by name, which means the first that is served."""
        for nest in self.nests:
            if name in (nest.id, nest.name):
                return nest
        served = ", ".join(nest.id for nest in self.nests)
        raise ModelNotFound(
            f"{name!r} is not served here; served are {served} "
            "(`nested-ray registry list` shows what is registered)"
        )

    async def health(self) -> Health:
        """Ask every level's deployment for a sign of life."""
        found = await asyncio.gather(*(probed(probe) for probe in self.probes.values()))
        levels = dict(zip(self.probes, found, strict=True))
        num_ok = sum(level.status == "ok" for level in found)
        status = "ok" if num_ok == len(found) else "degraded" if num_ok else "unavailable"
        return Health(status=status, levels=levels, versions=[nest.id for nest in self.nests])

    def task_label(self, task: str) -> str:
        """The task as a metric tag; what callers invent must not become a time series each."""
        return task if task in known_tasks(self.config.routing) else "unknown"

    def _asks(self, request: CompletionRequest) -> list[Ask]:
        unit = request.user or new_id("unit")
        return completion_asks(request, self.config.limits, unit, self.router.deadline())

    async def _answer(self, ask: Ask) -> Answer:
        answer = await self.router.answer(ask)
        self.meter.answered(answer)
        return answer


async def probed(probe: Probe) -> LevelHealth:
    try:
        await asyncio.wait_for(probe(), PROBE_TIMEOUT_S)
    except TimeoutError:
        return LevelHealth(status="unavailable", detail=f"no sign of life in {PROBE_TIMEOUT_S:g} s")
    except NestedRayError as exc:
        return LevelHealth(status="unavailable", detail=str(exc))
    return LevelHealth(status="ok")


def new_id(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex}"
