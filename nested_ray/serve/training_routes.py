"""Routes of training."""

from __future__ import annotations

from fastapi import FastAPI, Request

from nested_ray.api.native import BASE_PATH
from nested_ray.api.training import TrainingList, TrainingSession, TrainRequest
from nested_ray.errors import InvalidRequest
from nested_ray.serve.limits import read_body
from nested_ray.serve.responses import body_of, counted
from nested_ray.serve.service import Service, Training

FEWER = "send fewer samples, or let the operator name the code in a train config"
TASK = "train"


def add_training_routes(app: FastAPI, service: Service, training: Training) -> None:
    """`/api/v1/nested-learning/train` and what can be done with a session."""
    limit = service.config.training.max_body_bytes
    path = BASE_PATH + "/train"
    one = path + "/{session}"

    @app.post(path, status_code=202, openapi_extra=body_of(TrainRequest))
    async def start(request: Request) -> TrainingSession:
        """Train the levels of an allowed config, on code that is sent or on its own; answers with the session."""
        with counted(service, TASK):
            service.keys.check(request.headers.get("authorization"))
            check_json(request.headers.get("content-type"))
            body = await read_body(request.stream(), limit, FEWER)
            return await training.start(TrainRequest.from_json(body))

    @app.get(path)
    async def sessions(request: Request) -> TrainingList:
        """The newest 100 sessions."""
        with counted(service, TASK):
            service.keys.check(request.headers.get("authorization"))
            return await training.sessions()

    @app.get(one)
    async def get(session: str, request: Request) -> TrainingSession:
        """How far a session is: every level's progress, loss and accuracy, the time left, the last log lines."""
        with counted(service, TASK):
            service.keys.check(request.headers.get("authorization"))
            return await training.get(session)

    @app.post(one + "/cancel", status_code=202)
    async def cancel(session: str, request: Request) -> TrainingSession:
        """Stop a session; what it has learned is kept for a resume."""
        with counted(service, TASK):
            service.keys.check(request.headers.get("authorization"))
            return await training.cancel(session)

    @app.post(one + "/resume", status_code=202)
    async def resume(session: str, request: Request) -> TrainingSession:
        """Go on where a cancelled or failed session stood."""
        with counted(service, TASK):
            service.keys.check(request.headers.get("authorization"))
            return await training.resume(session)


def check_json(content_type: str | None) -> None:
    """Raises InvalidRequest for anything but JSON.

    A page in a browser may send text to any server without asking, but not JSON: nobody's browser must be made
    to start a training.
    """
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidRequest("the request needs the header `Content-Type: application/json`")
