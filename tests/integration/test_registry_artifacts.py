"""Objects in a real S3, looked at with plain boto3."""

from __future__ import annotations

import hashlib
import os
import pickle
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from nested_ray.errors import DigestMismatch, StorageUnavailable
from nested_ray.registry import artifacts as artifacts_module
from nested_ray.registry.addresses import S3Address, StorageAddresses
from nested_ray.registry.artifacts import S3Artifacts


@pytest.fixture(scope="module")
def address(addresses: StorageAddresses) -> S3Address:
    assert addresses.s3
    return replace(addresses.s3, bucket="artifact-tests")


@pytest.fixture
def artifacts(address: S3Address) -> Iterator[S3Artifacts]:
    store = S3Artifacts(lambda: address)
    list(store.list_objects())  # makes the bucket
    yield store
    store.close()


@pytest.fixture
def plain(artifacts: S3Artifacts, address: S3Address) -> Iterator[Any]:
    client = boto3.client(
        "s3",
        endpoint_url=address.endpoint_url,
        aws_access_key_id=address.access_key,
        aws_secret_access_key=address.secret_key,
        region_name="us-east-1",
    )
    yield client
    client.close()


def _file(folder: Path, content: bytes) -> tuple[str, Path]:
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{digest[:8]}.safetensors"
    path.write_bytes(content)
    return digest, path


def _read(plain: Any, address: S3Address, digest: str) -> bytes:
    answer = plain.get_object(Bucket=address.bucket, Key=f"blobs/{digest}")
    content: bytes = answer["Body"].read()
    answer["Body"].close()
    return content


def test_object_is_named_by_its_digest(
    artifacts: S3Artifacts, plain: Any, address: S3Address, tmp_path: Path
) -> None:
    digest, path = _file(tmp_path, os.urandom(300_000))
    artifacts.put(digest, path)
    artifacts.put(digest, path)
    assert _read(plain, address, digest) == path.read_bytes()
    artifacts.download(digest, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == path.read_bytes()
    assert digest in {blob.sha256 for blob in artifacts.list_objects()}


@pytest.mark.parametrize("damage", [b"wrong bytes, same size", b"short", b""])
def test_damaged_object_is_found_and_replaced(
    artifacts: S3Artifacts, plain: Any, address: S3Address, tmp_path: Path, damage: bytes
) -> None:
    content = damage[::-1] if len(damage) > 10 else b"what it should have been" + damage
    digest, path = _file(tmp_path, content)
    plain.put_object(Bucket=address.bucket, Key=f"blobs/{digest}", Body=damage)
    assert artifacts.find_problem(digest, len(content), read=False) is not None
    artifacts.put(digest, path)
    assert _read(plain, address, digest) == content
    assert artifacts.find_problem(digest, len(content), read=True) is None


def test_check_makes_a_bucket_that_is_missing(
    artifacts: S3Artifacts, plain: Any, address: S3Address
) -> None:
    fresh = replace(address, bucket="checked-bucket")
    store = S3Artifacts(lambda: fresh)
    store.check()
    assert fresh.bucket in {bucket["Name"] for bucket in plain.list_buckets()["Buckets"]}
    plain.delete_bucket(Bucket=fresh.bucket)
    store.check()
    assert fresh.bucket in {bucket["Name"] for bucket in plain.list_buckets()["Buckets"]}
    store.close()


def test_racing_puts_of_one_object_all_end_well(
    artifacts: S3Artifacts, plain: Any, address: S3Address, tmp_path: Path
) -> None:
    digest, path = _file(tmp_path, os.urandom(100_000))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: artifacts.put(digest, path), range(6)))
    assert _read(plain, address, digest) == path.read_bytes()


def test_file_that_changed_after_it_was_hashed_is_refused(
    artifacts: S3Artifacts, tmp_path: Path
) -> None:
    digest, path = _file(tmp_path, b"at first")
    path.write_bytes(b"later on")
    with pytest.raises(DigestMismatch, match="changed while it was published"):
        artifacts.put(digest, path)
    assert artifacts.find_problem(digest, 8, read=False) == "is missing"


def test_large_files_go_in_parts_and_leave_none_behind(
    artifacts: S3Artifacts,
    plain: Any,
    address: S3Address,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(artifacts_module, "MULTIPART_BYTES", 5 * 2**20)
    monkeypatch.setattr(artifacts_module, "PART_BYTES", 5 * 2**20)
    digest, path = _file(tmp_path, os.urandom(12 * 2**20))
    artifacts.put(digest, path)
    assert _read(plain, address, digest) == path.read_bytes()

    other, path = _file(tmp_path, os.urandom(6 * 2**20))
    path.write_bytes(os.urandom(6 * 2**20))
    with pytest.raises(DigestMismatch):
        artifacts.put(other, path)
    monkeypatch.setattr(artifacts, "_call", _failing(artifacts, "complete_multipart_upload"))
    third, path = _file(tmp_path, os.urandom(6 * 2**20))
    with pytest.raises(RuntimeError):
        artifacts.put(third, path)
    assert plain.list_multipart_uploads(Bucket=address.bucket).get("Uploads", []) == []


def _failing(artifacts: S3Artifacts, operation: str) -> Any:
    call = artifacts._call

    def fail(name: str, **arguments: Any) -> Any:
        if name == operation:
            raise RuntimeError("the process is interrupted here")
        return call(name, **arguments)

    return fail


def test_unfinished_uploads_are_swept(
    artifacts: S3Artifacts, plain: Any, address: S3Address
) -> None:
    plain.create_multipart_upload(Bucket=address.bucket, Key="blobs/" + "f" * 64)
    assert artifacts.abort_uploads(older_than_s=3600) == 0
    assert artifacts.abort_uploads(older_than_s=-3600) == 1
    assert plain.list_multipart_uploads(Bucket=address.bucket).get("Uploads", []) == []


def test_store_pickles_without_its_connections(artifacts: S3Artifacts) -> None:
    copy = pickle.loads(pickle.dumps(artifacts))
    assert [b.sha256 for b in copy.list_objects()] == [b.sha256 for b in artifacts.list_objects()]
    copy.close()


def test_refused_key_is_said_at_once_and_without_the_secret(address: S3Address) -> None:
    wrong = replace(address, secret_key="not-the-secret")
    store = S3Artifacts(lambda: wrong, wait_s=300)
    with pytest.raises(StorageUnavailable, match=f"S3 at {address.endpoint_url}") as caught:
        list(store.list_objects())
    assert "not-the-secret" not in str(caught.value)
    assert "AWS_SECRET_ACCESS_KEY" in str(caught.value)


def test_server_that_is_not_there_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        store = S3Artifacts(lambda: S3Address("bucket", url, "key", "secret"), wait_s=0.5)
        with pytest.raises(StorageUnavailable, match=f"S3 at {url}"):
            store.delete("0" * 64)


def test_every_port_of_the_embedded_server_wants_credentials(address: S3Address) -> None:
    """What an anonymous neighbour on this machine gets from the S3 port."""
    import httpx

    for path in ("/", f"/{address.bucket}", f"/{address.bucket}/blobs/{'0' * 64}"):
        assert httpx.get(f"{address.endpoint_url}{path}").status_code == 403
