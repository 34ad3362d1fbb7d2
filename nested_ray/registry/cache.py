"""Answers kept in Redis for a while. Losing it costs speed only, so nothing here raises."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from typing import Any

import redis.asyncio
import redis.exceptions

from nested_ray.registry.addresses import without_password

logger = logging.getLogger(__name__)

PREFIX = "nested-ray:response:"
ANSWER_WITHIN_S = 0.05
PAUSE_S = 2.0
MAX_BYTES = 1_000_000


class ResponseCache:
    """JSON values under a time to live, for one event loop.

    A server that fails or takes longer than 50 ms is left alone for two seconds: while it is away a
    request pays at most once per pause.
    """

    def __init__(
        self, redis_url: str, *, prefix: str = PREFIX, answer_within_s: float = ANSWER_WITHIN_S
    ) -> None:
        self._url = redis_url
        self._answer_within_s = answer_within_s
        self._prefix = prefix
        self._away_until = 0.0
        self._client: Any = redis.asyncio.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            redis_url, socket_connect_timeout=answer_within_s, socket_timeout=answer_within_s
        )

    async def get(self, key: str) -> Any:
        """The value stored under `key`, or None."""
        text = await self._ask(self._client.get, self._name(key))
        if text is None:
            return None
        try:
            return json.loads(text)
        except ValueError:
            return None  # not ours

    async def set(self, key: str, value: Any, ttl_s: float) -> None:
        """Keep a JSON value; one that is too large, or not JSON, is not kept."""
        try:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        except (TypeError, ValueError):
            logger.warning("a response could not be cached: it is not JSON")
            return
        if ttl_s > 0 and len(text) <= MAX_BYTES:
            milliseconds = max(1, int(ttl_s * 1000))
            await self._ask(self._client.set, self._name(key), text, px=milliseconds)

    async def is_up(self) -> bool:
        """Whether the server answered just now."""
        return await self._ask(self._client.ping) is not None

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask(self, operation: Any, *arguments: Any, **options: Any) -> Any:
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(self._answer_within_s):
                return await operation(*arguments, **options)
        except (redis.exceptions.RedisError, OSError, TimeoutError) as exc:
            self._away_until = time.monotonic() + PAUSE_S
            address = without_password(self._url)
            logger.warning("Redis at %s is left out for %.0f s: %s", address, PAUSE_S, exc)
            return None

    def _name(self, key: str) -> str:
        return self._prefix + hashlib.sha256(key.encode()).hexdigest()
