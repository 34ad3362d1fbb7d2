"""What the servers are doing now, and how to end the embedded ones. Starts nothing."""

from __future__ import annotations

import json
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from nested_ray.config.storage import StorageConfig
from nested_ray.errors import StorageUnavailable
from nested_ray.registry.addresses import without_password
from nested_ray.registry.embedded import ALL_SERVERS, embedded_servers, supervisor_is_alive
from nested_ray.registry.processes import FileLock, ProcessIdentity
from nested_ray.registry.servers import build_servers
from nested_ray.registry.service_user import service_user
from nested_ray.registry.supervisor import Layout, Supervised


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
        _knock(name, address)
    except OSError as exc:
        return entry | {"state": "down", "note": exc.strerror or str(exc)}
    return entry | {"state": "up"}


def _knock(name: str, address: str) -> None:
    """Connect to the server's socket; whether the password is right shows at first use."""
    parts = urlsplit(address)
    query = parse_qs(parts.query)
    host = query["host"][0] if "host" in query else parts.hostname or "127.0.0.1"
    port = parts.port or {"postgres": 5432, "redis": 6379}.get(name)
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    if host.startswith("/"):
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(3.0)
            link.connect(f"{host}/.s.PGSQL.{port}")
    else:
        socket.create_connection((host, port), timeout=3.0).close()


def _within(timeout_s: float, condition: Any) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
