import pytest

from nested_ray.registry.addresses import S3Address, StorageAddresses, without_password


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
    ],
)
def test_password_is_left_out_of_an_address(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_secrets_do_not_show() -> None:
    s3 = S3Address("bucket", "http://s3", "access", "hidden")
    addresses = StorageAddresses("postgresql://me:hidden@db/x", "redis://:hidden@r", s3)
    assert "hidden" not in f"{addresses!r} {s3} {s3!r}"
    assert str(s3) == "http://s3 (bucket bucket)"
