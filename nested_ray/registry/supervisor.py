"""One process per home that keeps the embedded servers running while anybody uses them.

Users hold a shared lock on `<home>/users.lock` for as long as they live; the supervisor ends the
servers and itself once it can take that lock alone. So a killed user leaves nothing behind, two users
share, and neither can harm the other. A killed supervisor is started again by any user's watcher and
adopts the servers it finds.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

from nested_ray.errors import StorageUnavailable
from nested_ray.registry.processes import FileLock, ProcessIdentity, write_private
from nested_ray.registry.servers import Server, build_servers
from nested_ray.registry.service_user import ServiceUser, service_user

logger = logging.getLogger(__name__)

LINGER_S = 2.0  # so that two commands in a row meet the same servers
START_TIMEOUT_S = 120.0  # crash recovery may take its time
MAX_LOG_BYTES = 20_000_000


class Layout:
    """Where things lie under a home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.users_lock = home / "users.lock"
        self.supervisor_lock = home / "supervisor.lock"
        self.state = home / "storage.json"
        self.servers = home / "servers"
        self.wanted = home / "servers" / "wanted"
        self.logs = home / "logs"


class Supervised:
    """One server and the process that runs it, moved along by `step`."""

    def __init__(self, server: Server, user: ServiceUser, log: Path) -> None:
        self.server = server
        self.state = "stopped"
        self.error = ""
        self.process: ProcessIdentity | None = None
        self._user = user
        self._log = log
        self._failures = 0
        self._not_before = 0.0
        self._deadline = 0.0
        self._record = server.folder / "pid"

    def step(self) -> None:
        """Start, watch or restart; never waits."""
        if self.process is None:
            self._adopt_or_launch()
        elif not self.process.is_alive():
            self._fail(f"{self.server.name} ended by itself")
        elif self.state != "ready" and self.server.is_ready(self.process.pid):
            self.state, self.error, self._failures = "ready", "", 0
            logger.info("%s is ready, process %d", self.server.name, self.process.pid)
        elif self.state != "ready" and time.monotonic() > self._deadline:
            self.process.end(signal.SIGKILL, 5.0)
            self._fail(f"{self.server.name} did not answer within {START_TIMEOUT_S:.0f} s")

    def stop(self) -> None:
        if self.process is None:
            self.process = self._survivor()
        if self.process is not None:
            self.process.end(self.server.stop_signal, 20.0)
        self.process, self.state = None, "stopped"

    def describe(self) -> dict[str, object]:
        description: dict[str, object] = {"state": self.state, "error": self.error}
        if self.process is not None:
            description["pid"] = self.process.pid
        if self.state == "ready":
            description["addresses"] = self.server.addresses()
        return description | {"log": str(self._log)}

    def _adopt_or_launch(self) -> None:
        self.process = self._survivor()
        if self.process is None and time.monotonic() < self._not_before:
            return
        self.state = "starting"
        self._deadline = time.monotonic() + START_TIMEOUT_S
        if self.process is not None:
            logger.info("adopting %s, process %d", self.server.name, self.process.pid)
            return
        try:
            self.process = self._launch()
        except (StorageUnavailable, OSError) as exc:
            self._fail(f"{self.server.name} cannot start: {exc}")

    def _survivor(self) -> ProcessIdentity | None:
        recorded = ProcessIdentity.read(self._record)
        return recorded if recorded is not None and recorded.is_alive() else None

    def _launch(self) -> ProcessIdentity:
        folder = self.server.folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._user.own(folder)
        self._user.let_through(folder)
        launch = self.server.prepare()
        record = os.open(self._record, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with open_log(self._log) as log:
                process = subprocess.Popen(
                    launch.command,
                    cwd=launch.cwd,
                    env=launch.env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=lambda: _record_self(record),
                    **self._user.popen_arguments(),
                )
        finally:
            os.close(record)
        process.returncode = 0  # is_alive() reaps it; Popen shall not
        identity = ProcessIdentity.read(self._record)
        if identity is None:
            raise StorageUnavailable(f"it left no pid in {self._record}")
        return identity

    def _fail(self, error: str) -> None:
        self.process, self.error = None, f"{error}; see {self._log}"
        self._failures += 1
        self.state = "failed" if self._failures >= 4 else "starting"
        self._not_before = time.monotonic() + min(5.0, 0.1 * 2**self._failures)
        logger.warning("%s", self.error)


class Supervisor:
    """Keeps the wanted servers of one home up until nobody uses them."""

    def __init__(self, home: Path, lock: FileLock) -> None:
        self._layout = Layout(home)
        self._lock = lock
        self._users = FileLock(self._layout.users_lock)
        self._identity = ProcessIdentity.of(os.getpid())
        self._last_used = time.monotonic()
        self._published = ""
        self._terminated = False
        user = service_user()
        self._all = {
            name: Supervised(server, user, self._layout.logs / f"{server.folder.name}.log")
            for name, server in build_servers(self._layout.servers, user).items()
        }

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._on_terminate)
        while not self._is_over():
            wanted = [self._all[name] for name in self._wanted()]
            for supervised in wanted:
                supervised.step()
            self._publish(wanted)
            busy = any(supervised.state != "ready" for supervised in wanted)
            time.sleep(0.05 if busy else 0.25)
        logger.info("nobody uses %s any more", self._layout.home)
        self._shut_down()

    def _on_terminate(self, *_: object) -> None:
        self._terminated = True

    def _wanted(self) -> list[str]:
        return [name for name in self._all if (self._layout.wanted / name).exists()]

    def _is_over(self) -> bool:
        if self._terminated or not self._lock.is_in_place() or not self._users.is_in_place():
            return True  # the last two: the home was deleted under us
        if not self._users.try_exclusive():
            self._last_used = time.monotonic()
        elif time.monotonic() - self._last_used > LINGER_S:
            return True  # the lock stays taken: newcomers wait until everything has ended
        else:
            self._users.release()
        return False

    def _publish(self, wanted: list[Supervised]) -> None:
        servers = {supervised.server.name: supervised.describe() for supervised in wanted}
        text = json.dumps({"supervisor": vars(self._identity), "servers": servers}, indent=1)
        if text != self._published and self._layout.home.exists():
            write_private(self._layout.state, text)
            self._published = text

    def _shut_down(self) -> None:
        if self._layout.wanted.exists():
            for marker in self._layout.wanted.iterdir():
                marker.unlink(missing_ok=True)
        self._layout.state.unlink(missing_ok=True)
        for supervised in self._all.values():
            supervised.stop()


def _record_self(fd: int) -> None:
    """In the child, before it becomes the server: no moment in which it lives unrecorded."""
    identity = ProcessIdentity.of(os.getpid())
    if identity is not None:
        identity.write(fd)


def open_log(path: Path) -> BinaryIO:
    """Append to a log that is set aside when it has grown too large."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return open(path, "ab")


def main(arguments: list[str] | None = None) -> int:
    """Detach and supervise; returns at once, 0 also when another supervisor is at work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    home: Path = parser.parse_args(arguments).home
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    lock = FileLock(Layout(home).supervisor_lock)
    if not _take(lock):
        return 0
    Layout(home).state.unlink(missing_ok=True)  # what a killed predecessor wrote
    if os.fork():
        os._exit(0)  # the starter need not reap the one that stays, which keeps the lock
    Supervisor(home, lock).run()
    return 0


def _take(lock: FileLock) -> bool:
    for _ in range(20):
        if lock.try_exclusive():
            return True
        time.sleep(0.02)  # users who ask whether a supervisor lives hold it for an instant
    return False


if __name__ == "__main__":
    sys.exit(main())
