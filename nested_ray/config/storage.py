"""Where Postgres, S3 and Redis are: their own standard variables, or embedded servers."""

from __future__ import annotations

import os
from pathlib import Path

from nested_ray.config.base import Settings


class StorageConfig(Settings):
    """Addresses read once from the environment; a missing one means the embedded server."""

    home: Path
    """Runs, caches and embedded servers live here (`NESTED_RAY_HOME`, default `./.nested-ray`)."""
    database_url: str | None = None
    """`DATABASE_URL`; secrets in it never reach a log."""
    redis_url: str | None = None
    """`REDIS_URL`."""
    s3_endpoint_url: str | None = None
    """`AWS_ENDPOINT_URL`; credentials and region come from boto3's own variables."""
    s3_bucket: str = "nested-ray"
    """`NESTED_RAY_BUCKET`; with a bucket and no endpoint, boto3's default endpoint (AWS) is used."""
    embedded_s3: bool = True
    """False when an endpoint or a bucket is set."""
    wait_s: float = 20.0
    """How long a server that does not answer is waited for before the call fails."""

    @classmethod
    def from_env(cls) -> StorageConfig:
        """Read the process environment; the only place that does."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        bucket = os.environ.get("NESTED_RAY_BUCKET")
        return cls(
            home=default_home(),
            database_url=os.environ.get("DATABASE_URL") or None,
            redis_url=os.environ.get("REDIS_URL") or None,
            s3_endpoint_url=endpoint or None,
            s3_bucket=bucket or "nested-ray",
            embedded_s3=not (endpoint or bucket),
        )


def default_home() -> Path:
    """`NESTED_RAY_HOME`, else `./.nested-ray`; inside a submitted Ray job, `~/.nested-ray`.

    A job's working directory is Ray's own copy of the project and is deleted with the job.
    """
    if configured := os.environ.get("NESTED_RAY_HOME"):
        return Path(configured).expanduser().absolute()
    cwd = Path.cwd()
    if "_ray_pkg_" in str(cwd):
        return Path.home() / ".nested-ray"
    return cwd / ".nested-ray"


def read_secret(variable: str) -> str | None:
    """A secret from the environment variable of that name; None where it is not set or empty."""
    return os.environ.get(variable) or None
