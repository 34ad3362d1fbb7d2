"""Where the three servers are, with their secrets; none of them shows in a repr or a log."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from nested_ray.errors import StorageUnavailable

UNREADABLE = "an unreadable address"


@dataclass(frozen=True)
class S3Address:
    """An S3 endpoint; None where boto3's own variables and defaults decide."""

    bucket: str
    endpoint_url: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        place = without_password(self.endpoint_url) if self.endpoint_url else "AWS"
        return f"{place} (bucket {self.bucket})"


@dataclass(frozen=True)
class StorageAddresses:
    """What `ensure_storage` gives; a part that was not asked for is None."""

    database_url: str | None = field(default=None, repr=False)
    redis_url: str | None = field(default=None, repr=False)
    s3: S3Address | None = None


def without_password(address: str) -> str:
    """The address as it may be shown: `postgresql://user@host:5432/name`.

    Only parts known to be harmless are put together again; of an address that cannot be read nothing is
    shown, for then the password may be anywhere.
    """
    if address.startswith(("postgresql://", "postgres://")) or "://" not in address:
        options = _database_options(address)
        return _show_database(options) if options else UNREADABLE
    parts = _split(address)
    if parts is None:
        return UNREADABLE
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def read_database_url(address: str) -> dict[str, str]:
    """What DATABASE_URL says, in libpq's words (`host`, `port`, `user` …), its password included.

    Raises StorageUnavailable, which shows no password.
    """
    options = _database_options(address)
    if options is None:
        raise _wrong("DATABASE_URL", "postgresql://USER:PASSWORD@HOST:PORT/NAME", address)
    return options


def read_redis_url(address: str) -> SplitResult:
    """The parts of REDIS_URL. Raises StorageUnavailable, which shows no password."""
    parts = _split(address)
    if parts is None or parts.scheme not in ("redis", "rediss", "unix"):
        raise _wrong("REDIS_URL", "redis://:PASSWORD@HOST:PORT/0", address)
    return parts


def read_endpoint_url(address: str) -> SplitResult:
    """The parts of AWS_ENDPOINT_URL. Raises StorageUnavailable, which shows no password."""
    parts = _split(address)
    if (
        parts is None
        or parts.scheme not in ("http", "https")
        or not parts.hostname
        or "@" in parts.netloc  # the client would repeat it in its errors
    ):
        raise StorageUnavailable(
            "AWS_ENDPOINT_URL must be http://HOST:PORT or https://HOST:PORT without a name and password, "
            f"and it holds {without_password(address)}; the keys belong in AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY; unset it to use an embedded server"
        )
    return parts


def _wrong(variable: str, expected: str, found: str) -> StorageUnavailable:
    return StorageUnavailable(
        f"{variable} must be {expected}, and it holds {without_password(found)}; escape special "
        "characters of the password (%40 for @, %2F for /), or unset it to use an embedded server"
    )


def _database_options(address: str) -> dict[str, str] | None:
    try:
        found = conninfo_to_dict(address)
    except (psycopg.Error, ValueError):
        return None
    options = {name: str(value) for name, value in found.items() if value is not None}
    # An unescaped @ or / ends a password early: its rest then passes for a port, a host or a name.
    if any("@" in options.get(name, "") for name in ("host", "port", "dbname")):
        return None
    port = options.get("port", "").replace(",", "")
    return options if not port or port.isdecimal() else None


def _show_database(options: dict[str, str]) -> str:
    host, port = options.get("host", ""), options.get("port", "")
    query = {name: options[name] for name in ("hostaddr", "service", "sslmode") if name in options}
    if host.startswith("/") or "," in host:  # a Unix socket, or several servers
        query = {"host": host} | ({"port": port} if port else {}) | query
        host = port = ""
    user = f"{quote(options['user'], safe='')}@" if "user" in options else ""
    place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    shown = f"postgresql://{user}{place}/{quote(options.get('dbname', ''), safe='')}"
    return f"{shown}?{urlencode(query)}" if query else shown


def _split(address: str) -> SplitResult | None:
    """None for what is no URL or holds a password that ends early."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    misplaced = "@" in parts.path or "@" in parts.query or parts.fragment
    return None if "://" not in address or misplaced else parts
