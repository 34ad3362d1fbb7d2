"""A Ray cluster for one command: the one that RAY_ADDRESS names, or a local one of our own.

A local cluster has its own folder, ports and token, listens for people on loopback only, and ends
with the command; another Ray on the same machine is neither used nor disturbed.
"""

from __future__ import annotations

import io
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nested_ray.cli.session_folder import session_folder
from nested_ray.errors import ConfigError, TrainingError

NAMESPACE = "nested-ray"

HARMLESS = (
    "PYTHON worker processes have been started",  # three levels start at once, on purpose
    "ServeController.graceful_shutdown failed",  # it was killed after it had shut down
)
"""Parts of messages that Ray prints about what is as it should be."""


@dataclass(frozen=True)
class RaySession:
    """A connected cluster."""

    address: str
    is_own: bool
    """Started by this command, and ended with it."""
    dashboard_url: str | None
    token_file: Path | None
    """Where the dashboard's token is written; None on a cluster that is not ours."""


@contextmanager
def ray_session(home: Path, *, object_store_bytes: int = 400 << 20) -> Iterator[RaySession]:
    """Connect to the cluster in RAY_ADDRESS, else run a local one until the block ends.

    What Ray prints meanwhile goes to stderr: stdout belongs to the command's result.
    """
    with redirect_stdout(RayMessages()):
        if os.environ.get("RAY_ADDRESS"):
            yield connect()
        else:
            yield from local_session(home, object_store_bytes)


def local_session(home: Path, object_store_bytes: int) -> Iterator[RaySession]:
    """A cluster of our own; its folder is deleted at the end."""
    with session_folder() as folder:
        os.environ.update(local_environment(home, folder))
        try:
            yield start_local(home, folder, object_store_bytes)
        finally:
            import ray

            ray.shutdown()
            os.environ.pop("RAY_ADDRESS", None)


class RayMessages(io.TextIOBase):
    """Passes on to stderr what is worth reading."""

    def __init__(self) -> None:
        self._skips_line_end = False

    def write(self, text: str) -> int:
        is_harmless = any(part in text for part in HARMLESS)
        if not is_harmless and not (self._skips_line_end and text == "\n"):
            sys.stderr.write(text)
        self._skips_line_end = is_harmless
        return len(text)


def connect() -> RaySession:
    """Join the cluster in RAY_ADDRESS; inside a submitted job that is the job's own cluster."""
    import ray

    address = os.environ["RAY_ADDRESS"]
    try:
        ray.init(namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as exc:
        raise TrainingError(
            f"no Ray cluster answers at RAY_ADDRESS={address}; start it, set RAY_AUTH_MODE and its token, "
            "or unset RAY_ADDRESS to use a local one"
        ) from exc
    return RaySession(address, is_own=False, dashboard_url=None, token_file=None)


def start_local(home: Path, folder: Path, object_store_bytes: int) -> RaySession:
    """Start a cluster on this machine; `local_environment` must be in place before."""
    import ray

    on_sigterm = signal.getsignal(signal.SIGTERM)
    with any_agent_port():
        context: Any = ray.init(
            namespace=NAMESPACE,
            include_dashboard=True,
            dashboard_host="127.0.0.1",
            object_store_memory=object_store_bytes,
            _temp_dir=str(folder),
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    # Ray has put a handler of its own there, which does not clean up.
    signal.signal(signal.SIGTERM, on_sigterm)
    # Ray's own helpers look for "the" cluster of the machine; with two of them they give up.
    os.environ["RAY_ADDRESS"] = context.address_info["address"]
    # As `ray start` does: where Ray looks up the cluster for a submitted job. Without it any Ray of the machine is taken.
    (folder / "ray_current_cluster").write_text(os.environ["RAY_ADDRESS"], encoding="utf-8")
    dashboard = f"http://{context.dashboard_url}" if context.dashboard_url else None
    return RaySession(os.environ["RAY_ADDRESS"], True, dashboard, token_path(home))


@contextmanager
def any_agent_port() -> Iterator[None]:
    """`ray.init` gives the agent of every cluster port 52365, and the second one on a machine then takes no jobs.

    `ray start` and `ray.cluster_utils` can ask for a free port; `ray.init` has no argument for it.
    """
    from ray._private import parameter

    params = parameter.RayParams
    parameter.RayParams = partial(params, dashboard_agent_listen_port=0)  # pyright: ignore
    try:
        yield
    finally:
        parameter.RayParams = params  # pyright: ignore


def local_environment(home: Path, folder: Path) -> dict[str, str]:
    """What has to be set before Ray is imported; workers inherit it."""
    from nested_ray.serve.environment import serve_environment

    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": read_or_make_token(home),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.25",  # report() is polled at this pace
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "TOKENIZERS_PARALLELISM": "false",
        "NESTED_RAY_HOME": str(home),
        **serve_environment(),
        **haproxy_environment(folder),
    }


def haproxy_environment(folder: Path) -> dict[str, str]:
    """Files and ports of this cluster's HAProxy; Ray's defaults are one set for the whole machine."""
    stats_port, metrics_port = free_ports(2)
    # HAProxy takes socket paths of 97 characters, and Ray puts 57 of its own before the file name.
    files = folder / "ha"
    return {
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(files / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(files / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(files),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(files / "server-state"),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats_port),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics_port),
    }


def token_path(home: Path) -> Path:
    return home / "ray_token"


def read_or_make_token(home: Path) -> str:
    """The home's Ray token, made on first use and readable by its owner only."""
    path = token_path(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (path.exists() and path.read_text(encoding="utf-8").strip()):
            # Written aside: another start must never read half of it. mkstemp makes it 0600.
            descriptor, aside = tempfile.mkstemp(dir=home, prefix=".ray_token-")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(secrets.token_hex(32))
            os.rename(aside, path)
        return path.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise ConfigError(
            f"cannot write to {home}: {exc.strerror}; set NESTED_RAY_HOME to a folder of yours"
        ) from exc


def free_ports(count: int) -> list[int]:
    """Ports free on loopback just now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
