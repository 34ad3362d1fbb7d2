from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.config.storage import StorageConfig
from nested_ray.errors import StorageUnavailable
from nested_ray.registry.addresses import (
    UNREADABLE,
    S3Address,
    StorageAddresses,
    read_database_url,
    read_endpoint_url,
    read_redis_url,
    without_password,
)
from nested_ray.registry.embedded import ServerName, ensure_storage
from nested_ray.registry.status import describe_storage


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "postgresql://me:secret@db:5432/x?sslmode=require",
            "postgresql://me@db:5432/x?sslmode=require",
        ),
        ("redis://:secret@127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("postgresql://me:se%40cr@/db?host=%2Ftmp%2Fa", "postgresql://me@/db?host=%2Ftmp%2Fa"),
        ("http://127.0.0.1:8333", "http://127.0.0.1:8333"),
        ("host=db user=u password=hunter2", "postgresql://u@db/"),
        ("host=db password='hunter2 x' dbname=n port=6", "postgresql://db:6/n"),
        ("postgresql://db/x?user=u&password=hunter2", "postgresql://u@db/x"),
        ("postgres://u:hun#ter2@db/x", "postgresql://u@db/x"),
        ("postgresql://u:hun[ter2@db/x", "postgresql://u@db/x"),
        ("postgresql://u:hunter2@[::1]:5432/x", "postgresql://u@[::1]:5432/x"),
        ("postgresql://u:hunter2@a:1,b:2/x", "postgresql://u@/x?host=a%2Cb&port=1%2C2"),
        ("postgresql://db/x?sslpassword=hunter2", "postgresql://db/x"),
        ("redis://cache:6379/0?password=hunter2", "redis://cache:6379/0"),
        ("rediss://u:hunter2@cache/0", "rediss://cache/0"),
        ("mysql://u:hunter2@db/x", "mysql://db/x"),
        ("postgresql://u:hun/ter2@db/x", UNREADABLE),
        ("postgresql://u:12/34@db/x", UNREADABLE),
        ("postgresql://u:hun@ter2@db/x", UNREADABLE),
        ("postgresql://u:hunter2%@db/x", UNREADABLE),
        ("host=db password=hun ter2", UNREADABLE),
        ("redis://:hun#ter2@cache/0", UNREADABLE),
        ("redis://:hun/ter2@cache/0", UNREADABLE),
        ("redis://:hun[ter2@cache/0", UNREADABLE),
        ("hunter2", UNREADABLE),
        ("", UNREADABLE),
    ],
)
def test_password_is_left_out_of_an_address(url: str, shown: str) -> None:
    assert without_password(url) == shown


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12))
def test_no_unescaped_password_shows(password: str) -> None:
    assert without_password(f"postgresql://u:{password}@db/x") in (
        "postgresql://u@db/x",
        UNREADABLE,
    )
    assert without_password(f"redis://:{password}@db/0") in ("redis://db/0", UNREADABLE)


@pytest.mark.parametrize(
    ("read", "variable", "address"),
    [
        (read_database_url, "DATABASE_URL must be postgresql://", "foo"),
        (read_database_url, "it holds mysql://db/x", "mysql://u:hunter2@db/x"),
        (read_database_url, "%2F for /", "postgresql://u:hun/ter2@db/x"),
        (read_database_url, "DATABASE_URL", "host=db passwort=hunter2"),
        (read_redis_url, "REDIS_URL must be redis://", "cache:6379"),
        (read_redis_url, "REDIS_URL", "redis://:hun/ter2@cache/0"),
        (read_endpoint_url, "AWS_ENDPOINT_URL must be http://HOST:PORT", "localhost:9000"),
        (read_endpoint_url, "AWS_ACCESS_KEY_ID", "http://u:hunter2@localhost:9000"),
        (read_endpoint_url, "AWS_ENDPOINT_URL", "http://"),
        (read_endpoint_url, "AWS_ENDPOINT_URL", "http://localhost:port"),
    ],
)
def test_address_that_is_none_is_refused_without_its_password(
    read: Callable[[str], object], variable: str, address: str
) -> None:
    with pytest.raises(StorageUnavailable) as caught:
        read(address)
    assert variable in str(caught.value)
    assert "ter2" not in str(caught.value)
    assert caught.value.__context__ is None  # a traceback would print the client's own error


def test_wrong_addresses_are_refused_where_they_enter(tmp_path: Path) -> None:
    wrong = StorageConfig(
        home=tmp_path,
        database_url="foo",
        redis_url="cache:6379",
        s3_endpoint_url="localhost:9000",
        embedded_s3=False,
    )
    variables: dict[ServerName, str] = {
        "postgres": "DATABASE_URL",
        "redis": "REDIS_URL",
        "s3": "AWS_ENDPOINT_URL",
    }
    for name, variable in variables.items():
        with pytest.raises(StorageUnavailable, match=variable):
            ensure_storage(wrong, {name})
    for entry in describe_storage(wrong):
        assert (entry["state"], entry["address"]) == ("down", UNREADABLE)
        assert "must be" in entry["note"]


def test_secrets_do_not_show() -> None:
    s3 = S3Address("bucket", "http://s3", "access", "hidden")
    addresses = StorageAddresses("postgresql://me:hidden@db/x", "redis://:hidden@r", s3)
    assert "hidden" not in f"{addresses!r} {s3} {s3!r}"
    assert str(s3) == "http://s3 (bucket bucket)"
