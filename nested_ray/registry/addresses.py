"""Where the three servers are, with their secrets; none of them shows in a repr or a log."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True)
class S3Address:
    """An S3 endpoint; None where boto3's own variables and defaults decide."""

    bucket: str
    endpoint_url: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.endpoint_url or 'AWS'} (bucket {self.bucket})"


@dataclass(frozen=True)
class StorageAddresses:
    """What `ensure_storage` gives; a part that was not asked for is None."""

    database_url: str | None = field(default=None, repr=False)
    redis_url: str | None = field(default=None, repr=False)
    s3: S3Address | None = None


def without_password(url: str) -> str:
    """The address as it may be shown: `postgresql://user@host:5432/name`."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, _, host = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{name}@{host}" if name else host))
