from __future__ import annotations

import json

from nested_ray.api import sse
from nested_ray.api.openai import ErrorBody, ErrorDetail


def test_an_event_reads_back_as_its_body():
    body = ErrorBody(error=ErrorDetail(message="a\nb\u2028c", type="server_error"))
    raw = sse.event(body).decode()
    assert raw.endswith("\n\n") and raw.count("\n") == 2
    assert json.loads(raw.removeprefix("data: ")) == body.model_dump()
