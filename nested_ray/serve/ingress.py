"""The HTTP door: every route."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from nested_ray import __version__
from nested_ray.api.native import BASE_PATH, Health, InferRequest, InferResponse, NestInfo, NestList
from nested_ray.api.openai import (
    Completion,
    CompletionRequest,
    Model,
    ModelList,
)
from nested_ray.serve.analysis_routes import add_analysis_routes
from nested_ray.serve.limits import read_body
from nested_ray.serve.pages import docs_page
from nested_ray.serve.responses import add_error_handlers, body_of, counted, json_of, streamed
from nested_ray.serve.service import Service
from nested_ray.serve.training_routes import add_training_routes

NATIVE = ("infer", "review", "architecture", "health", "models")
SHORTER = "send the code around the cursor instead of the whole file"


def build_http(service: Service) -> FastAPI:
    """The whole HTTP application around one service."""
    app = FastAPI(title="nested-ray", version=__version__, docs_url=None, redoc_url=None)
    add_openai_routes(app, service)
    add_native_routes(app, service)
    if service.analysis is not None:
        add_analysis_routes(app, service, service.analysis)
    if service.training is not None:
        add_training_routes(app, service, service.training)
    add_pages(app, service)
    add_error_handlers(app)
    return app


def add_openai_routes(app: FastAPI, service: Service) -> None:
    """`/v1/completions` and `/v1/models`."""

    @app.post(
        "/v1/completions", response_model=Completion, openapi_extra=body_of(CompletionRequest)
    )
    async def completions(request: Request) -> Response:
        """Complete code: the smallest level that is good enough answers."""
        with counted(service, "completion"):
            service.keys.check(request.headers.get("authorization"))
            body = await read_body(request.stream(), service.config.limits.max_body_bytes, SHORTER)
            asked = CompletionRequest.from_json(body)
            if asked.stream:
                return await streamed(service.stream(asked))
            return json_of(await service.complete(asked))

    @app.get("/v1/models")
    async def models(request: Request) -> ModelList:
        """What the `model` of a request may say."""
        service.keys.check(request.headers.get("authorization"))
        return service.models()

    @app.get("/v1/models/{model}")
    async def model(model: str, request: Request) -> Model:
        """One of them."""
        service.keys.check(request.headers.get("authorization"))
        return service.model(model)


def add_native_routes(app: FastAPI, service: Service) -> None:
    """`/api/v1/nested-learning/...`."""

    @app.post(
        BASE_PATH + "/infer", response_model=InferResponse, openapi_extra=body_of(InferRequest)
    )
    async def infer(request: Request) -> Response:
        """Predict what comes next, and say which level decided and how."""
        with counted(service, "completion") as count:
            service.keys.check(request.headers.get("authorization"))
            body = await read_body(request.stream(), service.config.limits.max_body_bytes, SHORTER)
            asked = InferRequest.from_json(body)
            count.task = service.task_label(asked.task)
            return json_of(await service.infer(asked))

    @app.get(BASE_PATH + "/health", response_model=Health)
    async def health() -> Response:
        """Whether every level answers; 503 when none does. Needs no key."""
        found = await service.health()
        return json_of(found, status=503 if found.status == "unavailable" else 200)

    @app.get(BASE_PATH + "/models")
    async def nests(request: Request) -> NestList:
        """The nest versions that are served."""
        service.keys.check(request.headers.get("authorization"))
        return service.nest_list()

    @app.get(BASE_PATH + "/models/{model_id}")
    async def nest(model_id: str, request: Request) -> NestInfo:
        """One of them: levels, training date, held-out metrics."""
        service.keys.check(request.headers.get("authorization"))
        return service.nest(model_id)


def add_pages(app: FastAPI, service: Service) -> None:
    """For people: where things are."""
    native = NATIVE if service.training is None else (*NATIVE, "train")

    @app.get("/", include_in_schema=False)
    async def landing() -> dict[str, Any]:
        return {
            "name": "nested-ray",
            "version": __version__,
            "serves": [nest.id for nest in service.nests],
            "docs": "/docs",
            "openapi": "/openapi.json",
            "openai": {"completions": "/v1/completions", "models": "/v1/models"},
            "native": {name: f"{BASE_PATH}/{name}" for name in native},
        }

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()))
