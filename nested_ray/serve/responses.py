"""What every route has in common: the one table of status codes, counting, and errors as bodies."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from nested_ray import errors
from nested_ray.api import sse
from nested_ray.api.openai import Completion, ErrorBody, ErrorDetail
from nested_ray.serve.service import Service

logger = logging.getLogger(__name__)

STATUS: dict[type[errors.NestedRayError], int] = {
    errors.InvalidRequest: 400,
    errors.PromptTooLong: 400,
    errors.Unauthorized: 401,
    errors.ModelNotFound: 404,
    errors.SessionNotFound: 404,
    errors.BodyTooLarge: 413,
    errors.Overloaded: 429,
    errors.LevelUnavailable: 503,
    errors.StorageError: 503,
    errors.InferenceError: 503,
    errors.NestedRayError: 500,
}
"""The nearest class in an error's ancestry decides."""

CODES = {
    errors.PromptTooLong: "context_length_exceeded",
    errors.Unauthorized: "invalid_api_key",
    errors.ModelNotFound: "model_not_found",
    errors.SessionNotFound: "session_not_found",
    errors.RateLimited: "rate_limit_exceeded",
    errors.Overloaded: "overloaded",
    errors.LevelUnavailable: "level_unavailable",
}
CLIENT_LEFT = 499
"""Never sent; the number is nginx's."""
RETRY_AFTER_S = {429: "1", 503: "2"}
KINDS = {401: "authentication_error", 404: "invalid_request_error", 429: "rate_limit_error"}


def add_error_handlers(app: FastAPI) -> None:
    """Every error leaves in the same form."""
    app.add_exception_handler(errors.NestedRayError, on_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_unexpected_error)


class Count:
    """Which task a request is counted under."""

    def __init__(self, task: str) -> None:
        self.task = task


@contextmanager
def counted(service: Service, task: str) -> Iterator[Count]:
    """Count the request under its task and its status; 499 when the client left before the answer."""
    count, status = Count(task), 500
    try:
        yield count
        status = 200
    except errors.NestedRayError as error:
        status = status_of(error)
        raise
    except asyncio.CancelledError:
        status = CLIENT_LEFT
        raise
    finally:
        service.meter.requested(count.task, status)


async def streamed(chunks: AsyncGenerator[Completion]) -> Response:
    """The chunks as server-sent events; what fails before the first one still gets its own status."""
    first = await anext(chunks)

    async def events() -> AsyncIterator[bytes]:
        try:
            async with aclosing(chunks):
                yield sse.event(first)
                async for chunk in chunks:
                    yield sse.event(chunk)
        except errors.NestedRayError as error:
            yield sse.event(body_for(error))
        except Exception as error:
            logger.exception("stream failed")
            yield sse.event(unexpected(error))
        yield sse.DONE

    return StreamingResponse(
        events(), media_type=sse.MEDIA_TYPE, headers={"Cache-Control": "no-cache"}
    )


async def on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.NestedRayError)
    response = json_of(body_for(error), status=status_of(error))
    if isinstance(error, errors.RateLimited):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


async def on_http_error(request: Request, error: Exception) -> Response:
    """Unknown paths and methods, in the same form as every other error."""
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}; GET / lists the routes"
    return json_of(error_body(error.status_code, message), status=error.status_code)


async def on_unexpected_error(request: Request, error: Exception) -> Response:
    logger.error("request failed", exc_info=error)
    return json_of(unexpected(error), status=500)


def status_of(error: errors.NestedRayError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body_for(error: errors.NestedRayError) -> ErrorBody:
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), None)
    return error_body(status_of(error), str(error), code)


def unexpected(error: Exception) -> ErrorBody:
    kind = type(error).__name__
    return error_body(500, f"the server failed with {kind}; its log has the details")


def error_body(status: int, message: str, code: str | None = None) -> ErrorBody:
    field = re.match(r"([a-z_]+)(?:\.[\w.]+)?: ", message)
    kind = KINDS.get(status) or ("server_error" if status >= 500 else "invalid_request_error")
    param = field.group(1) if field and status == 400 else None
    return ErrorBody(error=ErrorDetail(message=message, type=kind, param=param, code=code))


def json_of(body: BaseModel, status: int = 200) -> Response:
    headers = {"Retry-After": RETRY_AFTER_S[status]} if status in RETRY_AFTER_S else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        body.model_dump_json(), status_code=status, media_type="application/json", headers=headers
    )


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """The request body for the OpenAPI page; routes parse it themselves, bounded and strict."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    inlined = inline(schema, definitions)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": inlined}}}}


def inline(node: Any, definitions: dict[str, Any]) -> Any:
    """The schema with every reference replaced by what it names."""
    if isinstance(node, dict):
        if "$ref" in node:
            return inline(definitions[node["$ref"].rsplit("/", 1)[1]], definitions)
        return {key: inline(value, definitions) for key, value in node.items()}
    if isinstance(node, list):
        return [inline(item, definitions) for item in node]
    return node
