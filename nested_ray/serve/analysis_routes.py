"""Routes of code review and architecture."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response

from nested_ray.api.analysis import ArchitectureRequest, ReviewRequest
from nested_ray.api.native import BASE_PATH
from nested_ray.serve.limits import read_body
from nested_ray.serve.responses import body_of, counted
from nested_ray.serve.service import Analysis, Service

FEWER = "send the files that the change touches and what they use"


def add_analysis_routes(app: FastAPI, service: Service, analysis: Analysis) -> None:
    """`/api/v1/nested-learning/review` and `/architecture`."""
    limit = service.config.analysis.max_body_bytes

    @app.post(BASE_PATH + "/review", openapi_extra=body_of(ReviewRequest))
    async def review(request: Request) -> Response:
        """Findings in the code that is sent, or in what changed; JSON, SARIF or reviewdog's rdjson."""
        with counted(service, "review"):
            service.keys.check(request.headers.get("authorization"))
            body = await read_body(request.stream(), limit, FEWER)
            found = await analysis.review(ReviewRequest.from_json(body))
            return Response(found.body, media_type=found.media_type)

    @app.post(BASE_PATH + "/architecture", openapi_extra=body_of(ArchitectureRequest))
    async def architecture(request: Request) -> Response:
        """The code that is sent from above: layers, circles, hubs, patterns, findings; or an impact set."""
        with counted(service, "architecture"):
            service.keys.check(request.headers.get("authorization"))
            body = await read_body(request.stream(), limit, FEWER)
            found = await analysis.architecture(ArchitectureRequest.from_json(body))
            return Response(found.body, media_type=found.media_type)
