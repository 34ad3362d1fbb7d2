"""The command line as a user starts it: subprocesses, a home of its own, real servers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("nested-ray")
TINY = ROOT / "tests" / "data" / "train" / "tiny.yaml"
PATIENCE_S = 600.0
"""Machines that run tests are slow and shared; a test that hangs ends here."""

FOREIGN = ("RAY_", "AWS_", "PG", "DATABASE_URL", "REDIS_URL", "NESTED_RAY_")


@dataclass
class Shell:
    """A user's shell: one home, one environment."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        return {
            **inherited,
            "NESTED_RAY_HOME": str(self.home),
            "PATH": f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "200",
            **self.variables,
        }

    def run(self, *arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        return subprocess.run(
            [str(COMMAND), *map(str, arguments)],
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    @contextmanager
    def started(self, *arguments: str | Path, log: Path) -> Iterator[Started]:
        """A command that goes on; whatever is left of it is killed at the end."""
        with log.open("w") as output:
            process = subprocess.Popen(
                [str(COMMAND), *map(str, arguments)],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started = Started(process, log)
        try:
            yield started
        finally:
            process.kill()
            process.wait()
            self.kill_what_is_left()

    def kill_what_is_left(self) -> None:
        """Including servers that lost their supervisor, which know nothing of this home's variable."""
        for left in processes_of(self.home):
            left.kill()
        self.run("storage", "stop")

    def wait_until_nothing_runs(self) -> None:
        """Every process that this home started has ended."""
        wait_for(lambda: not processes_of(self.home), lambda: f"left: {processes_of(self.home)}")


@dataclass
class Started:
    """A running command and what it has printed."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def printed(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for_text(self, text: str) -> None:
        """Until it has printed that; a command that ended without is a failure."""
        wait_for(
            lambda: text in self.printed or self.process.poll() is not None,
            lambda: f"never printed {text!r}:\n{self.printed[-4000:]}",
        )
        assert text in self.printed, f"ended without {text!r}:\n{self.printed[-4000:]}"


def wait_for(holds, explain) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.5)


def processes_of(home: Path) -> list[psutil.Process]:
    """Processes with this home in their environment, dead ones aside."""
    found = []
    for process in psutil.process_iter():
        try:
            is_ours = process.environ().get("NESTED_RAY_HOME") == str(home)
            if is_ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """One home for all end-to-end tests, so that the nest is trained once."""
    return Shell(tmp_path_factory.mktemp("e2e") / "home")


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
