"""What the servers are doing now, and how to end the embedded ones. Starts nothing."""

from __future__ import annotations

import json
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from psycopg import pq

from nested_ray.config.storage import StorageConfig
from nested_ray.errors import StorageUnavailable
from nested_ray.registry.addresses import (
    read_database_url,
    read_endpoint_url,
    read_redis_url,
    without_password,
)
from nested_ray.registry.embedded import ALL_SERVERS, embedded_servers, supervisor_is_alive
from nested_ray.registry.processes import FileLock, ProcessIdentity
from nested_ray.registry.servers import build_servers
from nested_ray.registry.service_user import service_user
from nested_ray.registry.supervisor import Layout, Supervised

Place = str | tuple[str, int]
"""A Unix socket, or host and port."""


def describe_storage(config: StorageConfig) -> list[dict[str, str]]:
    """One entry per server: name, kind, state (up, down, starting, failed, not running), address, note."""
    external = {
        "postgres": config.database_url,
        "redis": config.redis_url,
        "s3": config.s3_endpoint_url or "AWS",
    }
    embedded = embedded_servers(config)
    return [
        _embedded(config.home, name) if name in embedded else _external(name, str(external[name]))
        for name in ALL_SERVERS
    ]


def stop_embedded(home: Path) -> str:
    """End the servers of a home, also those a killed supervisor left, and say what was done.

    Raises StorageUnavailable while a process uses them.
    """
    layout = Layout(home)
    if not home.exists():
        return f"There is nothing under {home}."
    users = FileLock(layout.users_lock)
    try:
        if not _within(2.0, users.try_exclusive):
            raise StorageUnavailable(
                f"the servers under {home} are in use (a training run, a serving Ray cluster, or "
                "`nested-ray storage env --hold`); end that first"
            )
        # The lock stays taken: nobody can come to use servers that are on their way out.
        if (supervisor := _supervisor(layout)) is not None:
            supervisor.send(signal.SIGTERM)
        if not _within(40.0, lambda: not supervisor_is_alive(layout)):
            raise StorageUnavailable(f"the supervisor does not end; see {layout.logs}")
        return _stop_orphans(layout)
    finally:
        users.close()


def end_if_unused(config: StorageConfig) -> None:
    """End the embedded servers now instead of in a moment, unless another process uses them.

    For the end of a command that promises to leave no process behind.
    """
    if embedded_servers(config):
        with suppress(StorageUnavailable):
            stop_embedded(config.home)


def _supervisor(layout: Layout) -> ProcessIdentity | None:
    try:
        return ProcessIdentity(**json.loads(layout.state.read_text())["supervisor"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _stop_orphans(layout: Layout) -> str:
    user = service_user() if layout.servers.exists() else None
    if user is not None:
        for server in build_servers(layout.servers, user).values():
            Supervised(server, user, layout.logs / "supervisor.log").stop()
    layout.state.unlink(missing_ok=True)
    return f"No server runs under {layout.home}."


def _embedded(home: Path, name: str) -> dict[str, str]:
    layout = Layout(home)
    entry = {"name": name, "kind": "embedded", "state": "not running", "address": "", "note": ""}
    if not home.exists() or not supervisor_is_alive(layout):
        return entry
    try:
        server: dict[str, Any] = json.loads(layout.state.read_text())["servers"][name]
    except (OSError, ValueError, KeyError):
        return entry
    addresses: dict[str, str] = server.get("addresses", {})
    shown = [without_password(v) for k, v in addresses.items() if k.endswith("_url")]
    entry["state"] = "up" if server["state"] == "ready" else server["state"]
    entry["address"] = shown[0] if shown else ""
    entry["note"] = server["error"] or f"process {server.get('pid')}"
    return entry


def _external(name: str, address: str) -> dict[str, str]:
    entry = {"name": name, "kind": "configured", "address": without_password(address), "note": ""}
    if address == "AWS":
        return entry | {"state": "not checked"}
    try:
        places = _PLACES[name](address)
    except StorageUnavailable as exc:
        return entry | {"state": "down", "note": str(exc)}
    if not places:
        return entry | {"state": "not checked"}
    reasons = [reason for place in places if (reason := _knock(place)) is not None]
    if len(reasons) == len(places):
        return entry | {"state": "down", "note": reasons[-1]}
    return entry | {"state": "up"}


def _postgres_places(address: str) -> list[Place]:
    """Every server that may answer; none where libpq looks in a folder chosen when it was built."""
    defaults = {
        option.keyword.decode(): option.val.decode()
        for option in pq.Conninfo.get_defaults()
        if option.val
    }
    options = defaults | read_database_url(address)
    hosts = (options.get("hostaddr") or options.get("host") or "").split(",")
    ports = options.get("port", "5432").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return [
        f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, int(port or 5432))
        for host, port in zip(hosts, ports, strict=False)
        if host
    ]


def _redis_places(address: str) -> list[Place]:
    parts = read_redis_url(address)
    if parts.scheme == "unix":
        return [parts.path]
    return [(parts.hostname or "localhost", parts.port or 6379)]


def _s3_places(address: str) -> list[Place]:
    parts = read_endpoint_url(address)
    return [(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))]


_PLACES = {"postgres": _postgres_places, "redis": _redis_places, "s3": _s3_places}


def _knock(place: Place) -> str | None:
    """Why the socket cannot be reached; whether the password is right shows at first use."""
    try:
        if isinstance(place, str):
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(3.0)
                link.connect(place)
        else:
            socket.create_connection(place, timeout=3.0).close()
    except (
        OSError,
        OverflowError,
        UnicodeError,
    ) as exc:  # the last two: no such port, no such host name
        return getattr(exc, "strerror", None) or str(exc)
    return None


def _within(timeout_s: float, condition: Any) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
