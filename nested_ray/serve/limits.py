"""What one request may ask for: sizes that keep a replica's time and memory bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator

from nested_ray.api.schemas import Sampling
from nested_ray.config.serve import LimitsConfig
from nested_ray.errors import BodyTooLarge, InvalidRequest


async def read_body(stream: AsyncIterator[bytes], max_bytes: int, advice: str) -> bytes:
    """The whole body; raises BodyTooLarge as soon as it passes the limit, before it is in memory."""
    body = bytearray()
    async for part in stream:
        body += part
        if len(body) > max_bytes:
            raise BodyTooLarge(f"the body is larger than {max_bytes:,} bytes; {advice}")
    return bytes(body)


def check_limits(request: Sampling, num_prompts: int, limits: LimitsConfig) -> None:
    """Raises InvalidRequest naming the field, what was asked and the limit."""
    if not num_prompts:
        raise InvalidRequest("prompt: the list is empty; send at least one text")
    at_most("prompt", "prompts", num_prompts, limits.max_prompts)
    at_most("n", "choices", request.n or 1, limits.max_n)
    at_most("max_tokens", "tokens", request.max_tokens or 1, limits.max_tokens)
    check_total(request, num_prompts, limits)
    at_most("stop", "stop strings", len(request.stops), limits.max_stops)
    for stop in request.stops:
        if not stop:
            raise InvalidRequest("stop: an empty string would stop everything; leave it out")
        at_most("stop", "characters", len(stop), limits.max_stop_chars)


def check_total(request: Sampling, num_prompts: int, limits: LimitsConfig) -> None:
    """Raises InvalidRequest when prompts, choices and tokens, each allowed, are too many together."""
    num_choices, max_tokens = request.n or 1, request.max_tokens or limits.default_tokens
    total = num_prompts * num_choices * max_tokens
    if total > limits.max_total_tokens:
        raise InvalidRequest(
            f"max_tokens: {num_prompts} prompts x {num_choices} choices x {max_tokens} tokens are "
            f"{total} tokens asked for, at most {limits.max_total_tokens} are allowed in one "
            "request; lower max_tokens or n, or send fewer prompts at once"
        )


def at_most(field: str, unit: str, asked: int, limit: int) -> None:
    if asked > limit:
        raise InvalidRequest(f"{field}: {asked} {unit} asked for, at most {limit} are allowed")
