"""The response cache on a real Redis-protocol server, and without one."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import redis

from nested_ray.registry.addresses import StorageAddresses
from nested_ray.registry.cache import PREFIX, ResponseCache


def _run(url: str, use: Any, answer_within_s: float = 10.0) -> Any:
    async def main() -> Any:
        cache = ResponseCache(url, answer_within_s=answer_within_s)
        try:
            return await use(cache)
        finally:
            await cache.close()

    return asyncio.run(main())


def _url(addresses: StorageAddresses) -> str:
    assert addresses.redis_url
    return addresses.redis_url


def test_value_comes_back_until_its_time_is_over(addresses: StorageAddresses) -> None:
    value = {"text": "Возврат", "scores": [0.5, None], "n": 3}

    async def use(cache: ResponseCache) -> None:
        await cache.set("key", value, ttl_s=60)
        assert await cache.get("key") == value
        assert await cache.get("another") is None
        await cache.set("key", "short", ttl_s=0.05)
        await asyncio.sleep(0.3)
        assert await cache.get("key") is None
        await cache.set("never", value, ttl_s=0)
        assert await cache.get("never") is None

    _run(_url(addresses), use)


def test_values_lie_under_hashed_keys_with_an_expiry(addresses: StorageAddresses) -> None:
    with redis.Redis.from_url(_url(addresses)) as client:
        before = set(client.keys(f"{PREFIX}*"))
        _run(_url(addresses), lambda cache: cache.set("secret prompt", 1, ttl_s=60))
        names = set(client.keys(f"{PREFIX}*")) - before
        assert names and not any(b"prompt" in name for name in names)
        assert all(0 < client.ttl(name) <= 60 for name in names)


def test_foreign_bytes_and_unfit_values_are_no_error(addresses: StorageAddresses) -> None:
    async def use(cache: ResponseCache) -> None:
        with redis.Redis.from_url(_url(addresses)) as client:
            client.set(cache._name("foreign"), b"\x80\x04pickle")
        assert await cache.get("foreign") is None
        await cache.set("object", object(), ttl_s=60)
        assert await cache.get("object") is None
        await cache.set("huge", "x" * 2_000_000, ttl_s=60)
        assert await cache.get("huge") is None

    _run(_url(addresses), use)


def test_server_wants_its_password(addresses: StorageAddresses) -> None:
    url = _url(addresses)
    anonymous = "redis://" + url.rpartition("@")[2]
    assert _run(url, lambda cache: cache.is_up()) is True
    assert _run(anonymous, lambda cache: cache.is_up()) is False


def test_server_that_never_answers_is_asked_once_per_pause() -> None:
    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        threading.Thread(target=_accept_all, args=(deaf, connections), daemon=True).start()

        async def use(cache: ResponseCache) -> None:
            for number in range(50):
                assert await cache.get(f"key {number}") is None
                await cache.set(f"key {number}", number, ttl_s=60)

        _run(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0", use, answer_within_s=0.05)
    assert len(connections) == 1
    for connection in connections:
        connection.close()


def _accept_all(server: socket.socket, connections: list[socket.socket]) -> None:
    while True:
        try:
            connections.append(server.accept()[0])
        except OSError:
            return
