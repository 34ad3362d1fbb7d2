"""The embedded servers: shared, private, ended with their last user, back after any kill."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from nested_ray.config.storage import StorageConfig
from nested_ray.errors import StorageUnavailable
from nested_ray.registry.addresses import StorageAddresses
from nested_ray.registry.embedded import ensure_storage, release_storage, supervisor_is_alive
from nested_ray.registry.processes import ProcessIdentity
from nested_ray.registry.status import describe_storage, end_if_unused, stop_embedded
from nested_ray.registry.supervisor import Layout

FAST = {"postgres", "redis"}  # SeaweedFS starts in seconds, these at once
USER = """
import sys
from pathlib import Path
from nested_ray.config.storage import StorageConfig
from nested_ray.registry.embedded import ensure_storage
ensure_storage(StorageConfig(home=Path(sys.argv[1])), {"postgres", "redis"})
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def config(tmp_path: Path) -> Iterator[StorageConfig]:
    config = StorageConfig(home=tmp_path / "home")
    yield config
    stop_embedded(config.home)


@contextlib.contextmanager
def held(config: StorageConfig) -> Iterator[StorageAddresses]:
    yield ensure_storage(config, FAST)
    release_storage(config, FAST)


@contextlib.contextmanager
def user_process(home: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with process:
        yield process
        process.kill()


def wait_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout and process.stdout.readline() == "ready\n"


def server_pids(home: Path) -> dict[str, int]:
    servers = json.loads(Layout(home).state.read_text())["servers"]
    return {name: server.get("pid", 0) for name, server in servers.items()}


def supervisor_pid(home: Path) -> int:
    return json.loads(Layout(home).state.read_text())["supervisor"]["pid"]


def eventually(condition: Callable[[], bool], timeout_s: float = 30.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def running(pids: dict[str, int]) -> list[str]:
    return [name for name, pid in pids.items() if ProcessIdentity.of(pid)]


def test_users_share_and_the_last_one_ends_everything(config: StorageConfig) -> None:
    with user_process(config.home) as first, user_process(config.home) as second:
        wait_ready(first)
        wait_ready(second)
        pids = server_pids(config.home) | {"supervisor": supervisor_pid(config.home)}
        os.killpg(first.pid, signal.SIGINT)  # Ctrl-C in the first one's terminal
        first.wait(10)
        time.sleep(3)  # longer than the supervisor lingers
        assert running(pids) == list(pids)
        second.kill()
        second.wait(10)
    assert eventually(lambda: not running(pids)), f"{running(pids)} are left"
    assert not Layout(config.home).state.exists()


def test_simultaneous_starts_give_one_set_of_servers(config: StorageConfig) -> None:
    with contextlib.ExitStack() as stack:
        users = [stack.enter_context(user_process(config.home)) for _ in range(4)]
        for user in users:
            wait_ready(user)
        pids = server_pids(config.home)
        living_there = {
            process.pid
            for process in psutil.process_iter(["cwd", "ppid"])
            if str(process.info["cwd"]).startswith(str(Layout(config.home).servers))
            and process.info["ppid"] not in pids.values()  # a backend of PostgreSQL
        }
        assert living_there == set(pids.values())


def test_killed_supervisor_comes_back_and_adopts_the_servers(config: StorageConfig) -> None:
    with held(config) as addresses:
        pids, first = server_pids(config.home), supervisor_pid(config.home)
        os.kill(first, signal.SIGKILL)
        assert eventually(
            lambda: Layout(config.home).state.exists() and supervisor_pid(config.home) != first
        )
        assert eventually(lambda: server_pids(config.home) == pids)
        os.kill(pids["redis"], signal.SIGKILL)
        assert eventually(lambda: server_pids(config.home)["redis"] not in (0, pids["redis"]))
        again = ensure_storage(config, FAST)
        assert again == addresses, "ports and passwords stay"
        release_storage(config, FAST)
    # With the supervisor and every user killed, the servers are orphans until somebody comes.
    with user_process(config.home) as user:
        wait_ready(user)
        pids = server_pids(config.home)
        os.kill(user.pid, signal.SIGKILL)
        os.kill(supervisor_pid(config.home), signal.SIGKILL)
    assert sorted(running(pids)) == ["postgres", "redis"]
    assert "No server runs" in stop_embedded(config.home)
    assert not running(pids)


def test_data_survives_a_stop_and_a_kill(config: StorageConfig) -> None:
    with held(config) as addresses:
        with psycopg.connect(str(addresses.database_url)) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1 AS acknowledged")
        with redis.Redis.from_url(str(addresses.redis_url)) as client:
            client.set("acknowledged", 1)
        time.sleep(1.2)  # Valkey's append-only file is written every second
        for pid in server_pids(config.home).values():
            os.kill(pid, signal.SIGKILL)
    assert stop_embedded(config.home)
    assert [server["state"] for server in describe_storage(config)] == ["not running"] * 3
    # What lies about from before must not mislead, and a taken port is replaced.
    Layout(config.home).state.write_text("{ not json")
    port = int(str(addresses.redis_url).rpartition(":")[2].removesuffix("/0"))
    with socket.create_server(("127.0.0.1", port)), held(config) as moved:
        assert moved.redis_url != addresses.redis_url
        assert moved.database_url == addresses.database_url
        with psycopg.connect(str(moved.database_url)) as connection:
            assert connection.execute("SELECT acknowledged FROM t").fetchone() == (1,)
        with redis.Redis.from_url(str(moved.redis_url)) as client:
            assert client.get("acknowledged") == b"1"
        assert [s["state"] for s in describe_storage(config)] == ["up", "up", "not running"]
        with pytest.raises(StorageUnavailable, match="are in use"):
            stop_embedded(config.home)


def test_stale_postmaster_pid_of_a_stranger_does_not_stop_the_start(config: StorageConfig) -> None:
    with held(config):
        pid = server_pids(config.home)["postgres"]
        lock = Layout(config.home).servers / "postgres" / "data" / "postmaster.pid"
        lines = lock.read_text().splitlines()
        os.kill(pid, signal.SIGKILL)
    stop_embedded(config.home)
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with held(config) as addresses, psycopg.connect(str(addresses.database_url)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_long_path_still_gets_a_socket(tmp_path: Path) -> None:
    config = StorageConfig(home=tmp_path / ("long folder name " * 8) / "home")
    with held(config) as addresses, psycopg.connect(str(addresses.database_url)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    stop_embedded(config.home)


def test_server_that_cannot_start_is_named_with_its_log(config: StorageConfig) -> None:
    data = Layout(config.home).servers / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9.1\n")
    with pytest.raises(StorageUnavailable, match=r"postgres ended by itself; see .*postgres\.log"):
        ensure_storage(config, {"postgres"})
    assert "postgresql.conf" in (Layout(config.home).logs / "postgres.log").read_text()


def test_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailable, match=r"cannot keep data under .*NESTED_RAY_HOME"):
        ensure_storage(StorageConfig(home=tmp_path / "file" / "home"), FAST)


def test_command_can_end_the_servers_it_was_last_to_use(config: StorageConfig) -> None:
    with held(config):
        pids = server_pids(config.home)
        end_if_unused(config)
        assert sorted(running(pids)) == ["postgres", "redis"], "they are in use"
    end_if_unused(config)
    assert not running(pids)


def test_deleted_home_ends_its_servers(config: StorageConfig) -> None:
    with held(config):
        pids = server_pids(config.home) | {"supervisor": supervisor_pid(config.home)}
        config.home.rename(config.home.with_name("moved"))
        assert eventually(lambda: not running(pids))


def test_everything_listens_on_loopback_and_is_private(
    storage: StorageConfig, addresses: StorageAddresses
) -> None:
    listening: set[str] = set()
    for pid in server_pids(storage.home).values():
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            sockets = process.net_connections(kind="inet")
            listening |= {s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    layout = Layout(storage.home)
    for path in [layout.state, *layout.servers.glob("*/secrets.json")]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for name in ("postgres", "valkey", "seaweedfs"):
        assert stat.S_IMODE((layout.servers / name).stat().st_mode) == 0o700
    assert addresses.redis_url and addresses.s3 and addresses.s3.secret_key
    for secret in (addresses.redis_url, addresses.s3.secret_key):
        assert secret not in repr(addresses)
        assert secret not in json.dumps(describe_storage(storage))


def test_supervisor_of_the_session_is_alive(storage: StorageConfig) -> None:
    assert supervisor_is_alive(Layout(storage.home))
    assert [server["state"] for server in describe_storage(storage)] == ["up", "up", "up"]
