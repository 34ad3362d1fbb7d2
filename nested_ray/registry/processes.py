"""A process known by more than its number, and locks that die with their holder."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class ProcessIdentity:
    """A process id with its start, so that a reused number is never taken for the same process."""

    pid: int
    started: str
    """Boot id and clock ticks since boot."""

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process now running as `pid`; None when there is none or only a zombie."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except (OSError, ValueError):
            return None
        state, start_ticks = fields[0], fields[19]
        return None if state in "ZX" else cls(pid, f"{boot}:{start_ticks}")

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What `write` left; None when the file is absent or torn."""
        try:
            pid, started = path.read_text().split()
            return cls(int(pid), started)
        except (OSError, ValueError):
            return None

    def write(self, fd: int) -> None:
        os.write(fd, f"{self.pid} {self.started}".encode())

    def is_alive(self) -> bool:
        """False for zombies too; a dead child of this process is reaped."""
        try:
            os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pass  # someone else's child: an adopted process
        return ProcessIdentity.of(self.pid) == self

    def send(self, signum: signal.Signals) -> None:
        """Signal this very process; nothing happens when it has ended meanwhile."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except OSError:
            return
        try:
            # The descriptor pins the process, so the check cannot go stale before the signal.
            if ProcessIdentity.of(self.pid) == self:
                signal.pidfd_send_signal(pidfd, signum)
        except ProcessLookupError:
            pass
        finally:
            os.close(pidfd)

    def wait(self, timeout_s: float) -> bool:
        """True when it has ended within the time."""
        deadline = time.monotonic() + timeout_s
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def end(self, signum: signal.Signals, timeout_s: float) -> None:
        """Ask with `signum`, then SIGKILL after `timeout_s`."""
        self.send(signum)
        if not self.wait(timeout_s):
            self.send(signal.SIGKILL)
            self.wait(5.0)


class FileLock:
    """One flock on one file; the kernel releases it when the process dies."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def try_shared(self) -> bool:
        return self._try(fcntl.LOCK_SH)

    def try_exclusive(self) -> bool:
        return self._try(fcntl.LOCK_EX)

    def exclusive(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def release(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def is_in_place(self) -> bool:
        """False when the file was deleted or replaced: others then lock another file."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        self.exclusive()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self._fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
