"""`nested-ray storage`: the servers behind the registry, embedded or not."""

from __future__ import annotations

import json as jsonlib
import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nested_ray.config.storage import StorageConfig
    from nested_ray.registry.addresses import StorageAddresses

app = typer.Typer(no_args_is_help=True, help="Embedded Postgres, Redis and S3.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")]


@app.command()
def status(json: Json = False) -> None:
    """Where each server is and whether it answers; starts nothing."""
    from nested_ray.registry.status import describe_storage

    servers = describe_storage(_config())
    if json:
        typer.echo(jsonlib.dumps(servers, indent=2))
        return
    for server in servers:
        details = ", ".join(filter(None, (server["kind"], server["address"], server["note"])))
        typer.echo(f"{server['name']:9} {server['state']:12} {details}")


@app.command()
def env(
    hold: Annotated[
        bool, typer.Option(help="Keep embedded servers up until Ctrl-C, to work with them.")
    ] = False,
) -> None:
    """Print DATABASE_URL, REDIS_URL and AWS_… for psql, redis-cli and boto3. Shows the secrets."""
    from nested_ray.observability import logs
    from nested_ray.registry.embedded import embedded_servers, ensure_storage, release_storage

    logs.setup()
    config = _config()
    addresses = ensure_storage(config)
    try:
        for name, value in _variables(addresses).items():
            typer.echo(f"export {name}={shlex.quote(value)}")
        if hold:
            typer.echo("Servers stay up until Ctrl-C.", err=True)
            _wait()
        elif embedded_servers(config):
            typer.echo(
                "Embedded servers end when nobody uses them; keep them with --hold.", err=True
            )
    finally:
        release_storage(config)


@app.command()
def stop() -> None:
    """End the embedded servers, unless a process uses them."""
    from nested_ray.registry.status import stop_embedded

    typer.echo(stop_embedded(_config().home))


def _variables(addresses: StorageAddresses) -> dict[str, str]:
    s3 = addresses.s3
    values = {
        "DATABASE_URL": addresses.database_url,
        "REDIS_URL": addresses.redis_url,
        "AWS_ENDPOINT_URL": s3 and s3.endpoint_url,
        "AWS_ACCESS_KEY_ID": s3 and s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3 and s3.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1" if s3 and s3.access_key else None,
        "NESTED_RAY_BUCKET": s3 and s3.bucket,
    }
    return {name: value for name, value in values.items() if value}


def _wait() -> Any:
    import threading

    return threading.Event().wait()


def _config() -> StorageConfig:
    from nested_ray.config.storage import StorageConfig

    return StorageConfig.from_env()
