"""Settings → addresses of servers that answer; those without an address are started from wheels."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from nested_ray.config.storage import StorageConfig
from nested_ray.errors import StorageUnavailable
from nested_ray.registry.addresses import (
    S3Address,
    StorageAddresses,
    read_database_url,
    read_endpoint_url,
    read_redis_url,
)
from nested_ray.registry.processes import FileLock
from nested_ray.registry.supervisor import Layout, open_log

logger = logging.getLogger(__name__)

ServerName = Literal["postgres", "redis", "s3"]
ALL_SERVERS: tuple[ServerName, ...] = ("postgres", "redis", "s3")
SAY_AFTER_S = 2.0
GIVE_UP_AFTER_S = 150.0

_leases: dict[Path, Lease] = {}
_leases_guard = threading.Lock()


def ensure_storage(
    config: StorageConfig, need: Collection[ServerName] = ALL_SERVERS
) -> StorageAddresses:
    """The addresses of the servers in `need`, started first where they are embedded.

    Embedded servers stay up while any process on this machine that called this is alive, or until
    every call was answered by `release_storage`. Raises StorageUnavailable with the log to read, and for
    an address in `need` that cannot be one.
    """
    _check_addresses(config, need)
    embedded = embedded_servers(config) & set(need)
    found: dict[str, str] = {}
    if embedded:
        with _leases_guard:
            lease = _leases.get(config.home) or Lease(config.home)
            _leases[config.home] = lease
            lease.num_holders += 1
        try:
            found = lease.require(embedded)
        except BaseException:
            release_storage(config, need)
            raise
    return StorageAddresses(
        database_url=found.get("database_url") or config.database_url,
        redis_url=found.get("redis_url") or config.redis_url,
        s3=S3Address(
            bucket=config.s3_bucket,
            endpoint_url=found.get("s3_endpoint_url") or config.s3_endpoint_url,
            access_key=found.get("s3_access_key"),
            secret_key=found.get("s3_secret_key"),
        ),
    )


def release_storage(config: StorageConfig, need: Collection[ServerName] = ALL_SERVERS) -> None:
    """Give back one `ensure_storage`; with the last one this process no longer counts as a user."""
    if not embedded_servers(config) & set(need):
        return
    with _leases_guard:
        lease = _leases.get(config.home)
        if lease is None:
            return
        lease.num_holders -= 1
        if lease.num_holders == 0:
            del _leases[config.home]
            lease.close()


def embedded_servers(config: StorageConfig) -> set[ServerName]:
    """Which servers have no address of their own."""
    missing: set[ServerName] = set()
    if config.database_url is None:
        missing.add("postgres")
    if config.redis_url is None:
        missing.add("redis")
    if config.embedded_s3:
        missing.add("s3")
    return missing


def _check_addresses(config: StorageConfig, need: Collection[ServerName]) -> None:
    # Here, and not at the first use: the clients' own errors repeat the address with its password.
    if "postgres" in need and config.database_url:
        read_database_url(config.database_url)
    if "redis" in need and config.redis_url:
        read_redis_url(config.redis_url)
    if "s3" in need and config.s3_endpoint_url:
        read_endpoint_url(config.s3_endpoint_url)


class Lease:
    """This process as a user of one home's servers: a shared lock and a watcher.

    The kernel drops the lock when the process dies, however it dies. The watcher starts the supervisor
    again should it be killed; the servers themselves go on meanwhile.
    """

    def __init__(self, home: Path) -> None:
        self.num_holders = 0
        self._layout = Layout(home)
        self._needs: set[str] = set()
        self._closed = threading.Event()
        try:
            self._users = FileLock(self._layout.users_lock)
        except OSError as exc:
            raise StorageUnavailable(
                f"cannot keep data under {home}: {exc.strerror}; set NESTED_RAY_HOME to a folder "
                "that can be written"
            ) from exc
        waiting = _Waiting(f"the servers under {home} to finish an earlier shutdown")
        while not self._users.try_shared():
            waiting.tick()
        threading.Thread(target=self._watch, name="storage-lease", daemon=True).start()

    def require(self, names: Collection[str]) -> dict[str, str]:
        """Addresses of the named servers, as soon as all of them are ready."""
        self._needs |= set(names)
        waiting = _Waiting(
            f"embedded {', '.join(sorted(names))} under {self._layout.home} to start; "
            f"logs are in {self._layout.logs}"
        )
        while True:
            self._keep_supervised()
            servers = self._read_state()
            failed = [
                s["error"] for n in names if (s := servers.get(n, {})).get("state") == "failed"
            ]
            if failed:
                raise StorageUnavailable("; ".join(failed))
            if all(servers.get(name, {}).get("state") == "ready" for name in names):
                return {k: v for name in names for k, v in servers[name]["addresses"].items()}
            waiting.tick()

    def close(self) -> None:
        self._closed.set()
        self._users.close()

    def _watch(self) -> None:
        while not self._closed.wait(1.0):
            try:
                if self._needs and self._layout.home.exists():
                    self._keep_supervised()
            except (OSError, StorageUnavailable):
                logger.exception("the storage supervisor of %s is down", self._layout.home)

    def _keep_supervised(self) -> None:
        """Say what is needed and have a supervisor; does nothing when both is so."""
        self._layout.wanted.mkdir(parents=True, exist_ok=True)
        for name in self._needs.copy():
            marker = self._layout.wanted / name
            if not marker.exists():
                marker.touch()
        if not supervisor_is_alive(self._layout):
            start_supervisor(self._layout)

    def _read_state(self) -> dict[str, Any]:
        try:
            return json.loads(self._layout.state.read_text())["servers"]
        except (OSError, ValueError, KeyError):
            return {}


def supervisor_is_alive(layout: Layout) -> bool:
    """Whether somebody holds the supervisor's lock."""
    lock = FileLock(layout.supervisor_lock)
    try:
        return not lock.try_shared()
    finally:
        lock.close()


def start_supervisor(layout: Layout) -> None:
    """Start one in a session of its own and wait until it holds its lock."""
    log_path = layout.logs / "supervisor.log"
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "nested_ray.registry.supervisor", "--home", str(layout.home)]
    with open_log(log_path) as log:
        done = subprocess.run(
            command,
            cwd=layout.home,
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    if done.returncode != 0:
        raise StorageUnavailable(
            f"the supervisor of the embedded servers could not start (exit {done.returncode}); "
            f"see {log_path}"
        )


class _Waiting:
    """Says what is waited for after two seconds, and gives up in the end."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = time.monotonic()
        self._said = False

    def tick(self) -> None:
        waited_s = time.monotonic() - self._began
        if waited_s > SAY_AFTER_S and not self._said:
            self._said = True
            logger.info("waiting for %s", self._what)
        if waited_s > GIVE_UP_AFTER_S:
            raise StorageUnavailable(f"gave up after {waited_s:.0f} s waiting for {self._what}")
        time.sleep(0.05)
