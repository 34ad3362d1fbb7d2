"""Server-sent events, in the form that OpenAI's clients read."""

from __future__ import annotations

from pydantic import BaseModel

MEDIA_TYPE = "text/event-stream"
DONE = b"data: [DONE]\n\n"


def event(body: BaseModel) -> bytes:
    """One event that carries a JSON body."""
    return b"data: " + body.model_dump_json(exclude_none=False).encode() + b"\n\n"
