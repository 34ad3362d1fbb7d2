"""`nested-ray registry` and `nested-ray storage` against real servers."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator

import boto3
import psycopg
import pytest
import redis
from typer.testing import CliRunner

from nested_ray.cli import registry as registry_cli
from nested_ray.cli import storage as storage_cli
from nested_ray.config.storage import StorageConfig
from nested_ray.errors import NestNotFound, StorageUnavailable, VersionNotFound
from nested_ray.registry import connect
from nested_ray.registry.records import NestDraft

runner = CliRunner()


@pytest.fixture(autouse=True)
def environment(storage: StorageConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "AWS_ENDPOINT_URL", "NESTED_RAY_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NESTED_RAY_HOME", str(storage.home))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def nest(
    storage: StorageConfig, make_draft: Callable[..., NestDraft], request: pytest.FixtureRequest
) -> Iterator[str]:
    """A nest with two versions."""
    name = request.node.name.replace("_", "-")
    with connect(storage, use_actor=False) as registry:
        for run in ("one", "two"):
            registry.publish(make_draft(name, run))
    yield name


def _json(*arguments: str) -> object:
    result = runner.invoke(registry_cli.app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_lists_and_shows(nest: str) -> None:
    listed = _json("list")
    assert isinstance(listed, list)
    (entry,) = [entry for entry in listed if entry["nest"] == nest]
    assert (entry["versions"], entry["aliases"]) == (2, {"candidate": 2, "champion": 1})
    shown = _json("show", f"{nest}@champion")
    assert isinstance(shown, dict)
    assert (shown["version"], shown["run_id"]) == (1, f"{nest}/one")
    text = runner.invoke(registry_cli.app, ["show", nest]).stdout
    assert "candidate" in text and f"{nest}/two" in text
    text = runner.invoke(registry_cli.app, ["show", f"{nest}@2"]).stdout
    assert f"{nest}@2 (candidate)" in text and "levels/syntax/model.safetensors" in text


def test_promotes_rolls_back_and_tells_the_history(nest: str) -> None:
    result = runner.invoke(registry_cli.app, ["promote", f"{nest}@candidate", "--reason", "better"])
    assert result.exit_code == 0 and "better" in result.stdout
    assert runner.invoke(registry_cli.app, ["rollback", nest]).exit_code == 0
    moves = _json("history", nest)
    assert isinstance(moves, list)
    assert [(move["from_version"], move["to_version"]) for move in moves] == [
        (None, 1),
        (1, 2),
        (2, 1),
    ]


def test_verifies_and_collects(nest: str, storage: StorageConfig) -> None:
    assert runner.invoke(registry_cli.app, ["verify", nest]).exit_code == 0
    assert runner.invoke(registry_cli.app, ["gc"]).exit_code == 0
    with connect(storage, use_actor=False) as registry:
        registry.artifacts.delete(registry.resolve(nest, 2).files[1].sha256)
    result = runner.invoke(registry_cli.app, ["verify", nest, "--quick"])
    assert result.exit_code == 1
    assert "is missing" in result.stdout and f"{nest}@2" in result.stdout
    assert "rollback NEST" in result.stdout and "train the nest again" in result.stdout


@pytest.mark.parametrize(
    "address", ["foo", "mysql://u:hunter2@db/x", "postgresql://u:hunter/2@db/x"]
)
def test_wrong_database_address_is_refused_in_a_sentence(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    error = runner.invoke(registry_cli.app, ["list"]).exception
    assert isinstance(error, StorageUnavailable)
    assert "DATABASE_URL must be" in str(error) and "hunter" not in str(error)
    text = runner.invoke(storage_cli.app, ["status"]).stdout
    assert "DATABASE_URL must be" in text and "hunter" not in text


@pytest.mark.parametrize("address", ["localhost:9000", "http://under_score:9000"])
def test_wrong_s3_address_shows_at_the_first_check(storage: StorageConfig, address: str) -> None:
    wrong = storage.model_copy(update={"s3_endpoint_url": address, "embedded_s3": False})
    with (
        connect(wrong, use_actor=False) as registry,
        pytest.raises(StorageUnavailable, match="AWS_ENDPOINT_URL"),
    ):
        registry.check()


def test_number_beyond_any_version_is_not_found(nest: str) -> None:
    error = runner.invoke(registry_cli.app, ["show", f"{nest}@9999999999"]).exception
    assert isinstance(error, VersionNotFound)


def test_unknown_nest_and_incomplete_name_are_refused() -> None:
    assert isinstance(runner.invoke(registry_cli.app, ["show", "no-such"]).exception, NestNotFound)
    result = runner.invoke(registry_cli.app, ["promote", "default"])
    assert result.exit_code == 2 and "NEST@VERSION" in result.output


def test_printed_environment_is_enough_for_other_clients(nest: str) -> None:
    result = runner.invoke(storage_cli.app, ["env"])
    words = shlex.split(result.stdout)
    values = dict(word.split("=", 1) for word in words if "=" in word)
    with psycopg.connect(values["DATABASE_URL"]) as connection:
        query = "SELECT count(*) FROM nest_version WHERE nest = %s AND state = 'ready'"
        assert connection.execute(query, (nest,)).fetchone() == (2,)
    with redis.Redis.from_url(values["REDIS_URL"]) as client:
        assert client.ping()
    client = boto3.client(
        "s3",
        endpoint_url=values["AWS_ENDPOINT_URL"],
        aws_access_key_id=values["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=values["AWS_SECRET_ACCESS_KEY"],
        region_name=values["AWS_DEFAULT_REGION"],
    )
    assert client.list_objects_v2(Bucket=values["NESTED_RAY_BUCKET"])["KeyCount"] >= 3
    client.close()


def test_status_shows_addresses_but_no_secret(storage: StorageConfig) -> None:
    text = runner.invoke(storage_cli.app, ["status"]).stdout
    assert [line.split()[:2] for line in text.splitlines()] == [
        ["postgres", "up"],
        ["redis", "up"],
        ["s3", "up"],
    ]
    secrets = json.loads((storage.home / "servers" / "valkey" / "secrets.json").read_text())
    assert secrets["password"] not in text
