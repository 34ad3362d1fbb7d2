# pyright: basic, reportMissingTypeStubs=false
# (boto3 comes without types)
"""Bytes in S3, each object named by its sha256: `blobs/<sha256>`, or below another folder of the bucket.

An object that exists is no proof of good bytes: every put ends with a check of size and digest, and a
wrong object is replaced.
"""

from __future__ import annotations

import hashlib
import logging
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any, Protocol, TypeVar

import boto3
import botocore.config
import botocore.exceptions

from nested_ray.errors import DigestMismatch, StorageUnavailable
from nested_ray.files import sha256_of
from nested_ray.registry.addresses import S3Address
from nested_ray.registry.records import BlobObject

logger = logging.getLogger(__name__)

T = TypeVar("T")
PREFIX = "blobs/"
MULTIPART_BYTES = 64 * 2**20
PART_BYTES = 32 * 2**20
_PASSING_CODES = {"InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout"}
_ABSENT_CODES = {"404", "NoSuchKey", "NotFound"}


class Artifacts(Protocol):
    """Where the files of nest versions lie."""

    def check(self) -> None:
        """Make sure that files can be stored. Raises StorageUnavailable."""
        ...

    def put(self, sha256: str, path: Path) -> None:
        """Store the file unless its bytes are there already; returns when they are known to be right.

        Raises DigestMismatch when the file does not have this digest.
        """
        ...

    def find_problem(self, sha256: str, size_bytes: int, *, read: bool) -> str | None:
        """What is wrong with an object; `read` hashes every byte instead of trusting its checksum."""
        ...

    def download(self, sha256: str, target: Path) -> None:
        """Write the object's bytes as they are; raises DigestMismatch when it is missing."""
        ...

    def delete(self, sha256: str) -> None: ...

    def list_objects(self) -> Iterator[BlobObject]: ...

    def abort_uploads(self, older_than_s: float) -> int:
        """Drop what interrupted multipart uploads left behind; returns how many."""
        ...

    def folder(self, path: str) -> Artifacts:
        """The objects of another folder of the same store, such as `checkpoints/7/`; close it as well."""
        ...

    def close(self) -> None: ...


class S3Artifacts:
    """Implements Artifacts on any S3 endpoint; asks for its address when bytes are first wanted."""

    def __init__(
        self,
        find_address: Callable[[], S3Address],
        *,
        wait_s: float = 20.0,
        prefix: str = PREFIX,
    ) -> None:
        self._find_address = find_address
        self._wait_s = wait_s
        self._prefix = prefix
        self._found: S3Address | None = None
        self._client: Any = None

    def check(self) -> None:
        self._retry(lambda client: _create_bucket(client, self._address.bucket))

    def put(self, sha256: str, path: Path) -> None:
        size_bytes = path.stat().st_size
        problem = self.find_problem(sha256, size_bytes, read=False)
        for _ in range(3):
            if problem is None:
                return
            if problem != MISSING:
                logger.warning("%s%s %s; uploading it again", self._prefix, sha256, problem)
            self._upload(sha256, path, size_bytes, replace=problem != MISSING)
            problem = self.find_problem(sha256, size_bytes, read=False)
        if problem is not None:
            raise DigestMismatch(f"{path} was stored at {self._address}, but the object {problem}")

    def find_problem(self, sha256: str, size_bytes: int, *, read: bool) -> str | None:
        try:
            head = self._call("head_object", Key=self._prefix + sha256, ChecksumMode="ENABLED")
        except _Absent:
            return MISSING
        if head["ContentLength"] != size_bytes:
            return f"has {head['ContentLength']} bytes instead of {size_bytes}"
        if not read and head.get("ChecksumSHA256") == _base64(sha256):
            return None
        return None if self._stored_digest(sha256) == sha256 else WRONG_BYTES

    def download(self, sha256: str, target: Path) -> None:
        def copy(body: Any) -> None:
            with open(target, "wb") as file:
                for chunk in body.iter_chunks(2**20):
                    file.write(chunk)

        try:
            self._read(sha256, copy)
        except _Absent as exc:
            raise DigestMismatch(f"{self._prefix}{sha256} is missing from {self._address}") from exc

    def delete(self, sha256: str) -> None:
        self._call("delete_object", Key=self._prefix + sha256)

    def list_objects(self) -> Iterator[BlobObject]:
        token: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", Prefix=self._prefix, **token)
            for item in page.get("Contents", []):
                name = item["Key"].removeprefix(self._prefix)
                if len(name) == 64:
                    yield BlobObject(name, item["Size"], item["LastModified"])
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def abort_uploads(self, older_than_s: float) -> int:
        limit = datetime.now(UTC) - timedelta(seconds=older_than_s)
        uploads = self._call("list_multipart_uploads", Prefix=self._prefix).get("Uploads", [])
        old = [upload for upload in uploads if upload["Initiated"] < limit]
        for upload in old:
            self._call("abort_multipart_upload", Key=upload["Key"], UploadId=upload["UploadId"])
        return len(old)

    def folder(self, path: str) -> S3Artifacts:
        return S3Artifacts(self._find_address, wait_s=self._wait_s, prefix=path)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def __getstate__(self) -> dict[str, Any]:
        # Connections stay here; the process it is sent to gets the address that was found here.
        return self.__dict__ | {"_client": None, "_find_address": partial(_same, self._address)}

    @property
    def _address(self) -> S3Address:
        return self._found or self._find_address()

    def _upload(self, sha256: str, path: Path, size_bytes: int, *, replace: bool) -> None:
        # Of several publishers of the same bytes one wins; the others find the object in place.
        condition = {} if replace else {"IfNoneMatch": "*"}
        try:
            if size_bytes > MULTIPART_BYTES:
                self._upload_parts(sha256, path, condition)
            else:
                checksum = {"ChecksumSHA256": _base64(sha256)} | condition
                with open(path, "rb") as file:
                    self._call("put_object", Key=self._prefix + sha256, Body=file, **checksum)
        except _Exists:
            return
        except _BadDigest as exc:
            found = sha256_of(path)
            raise DigestMismatch(
                f"{path} changed while it was published: its sha256 was {sha256} and is {found} now; "
                "publish again"
            ) from exc

    def _upload_parts(self, sha256: str, path: Path, condition: dict[str, str]) -> None:
        key = {"Key": self._prefix + sha256}
        upload = key | {"UploadId": self._call("create_multipart_upload", **key)["UploadId"]}
        parts: list[dict[str, Any]] = []
        try:
            with open(path, "rb") as file:
                while chunk := file.read(PART_BYTES):
                    number = len(parts) + 1
                    done = self._call("upload_part", Body=chunk, PartNumber=number, **upload)
                    parts.append({"ETag": done["ETag"], "PartNumber": number})
            manifest = {"MultipartUpload": {"Parts": parts}}
            self._call("complete_multipart_upload", **manifest, **upload, **condition)
        except BaseException:
            # Parts of an unfinished upload are stored and billed, yet no listing shows them.
            self._call("abort_multipart_upload", **upload)
            raise

    def _stored_digest(self, sha256: str) -> str | None:
        def digest(body: Any) -> str:
            hasher = hashlib.sha256()
            for chunk in body.iter_chunks(2**20):
                hasher.update(chunk)
            return hasher.hexdigest()

        try:
            return self._read(sha256, digest)
        except _Absent:
            return None

    def _read(self, sha256: str, use: Callable[[Any], T]) -> T:
        def get(client: Any) -> T:
            answer = client.get_object(Bucket=self._address.bucket, Key=self._prefix + sha256)
            with closing(answer["Body"]) as body:
                return use(body)

        return self._retry(get)

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        def call(client: Any) -> dict[str, Any]:
            if isinstance(body := arguments.get("Body"), BufferedReader):
                body.seek(0)
            return getattr(client, operation)(Bucket=self._address.bucket, **arguments)

        return self._retry(call)

    def _retry(self, call: Callable[[Any], T]) -> T:
        """Until the endpoint answers or `wait_s` is over; every call here may be repeated."""
        deadline = time.monotonic() + self._wait_s
        said = False
        while True:
            try:
                return call(self._connect())
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as exc:
                if (reason := _passing_reason(exc)) is None:
                    raise self._translate(exc) from exc
                if time.monotonic() > deadline:
                    raise self._unavailable(reason) from exc
                if not said:
                    said = True
                    logger.info("waiting for S3 at %s: %s", self._address, reason)
                self._client = self._found = None  # an embedded server may come back elsewhere
                time.sleep(0.2)

    def _connect(self) -> Any:
        if self._client is None:
            self._found = address = self._find_address()
            try:
                client = _open_client(address)
            except ValueError as exc:  # such as a host name with an underscore
                raise self._unavailable(str(exc)) from exc
            _create_bucket(client, address.bucket)
            self._client = client
        return self._client

    def _translate(self, exc: Exception) -> Exception:
        code = _code(exc)
        if code in _ABSENT_CODES:
            return _Absent()
        if code in ("PreconditionFailed", "412", "ConditionalRequestConflict", "409"):
            return _Exists()
        if code in ("BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"):
            return _BadDigest()
        return self._unavailable(str(exc))

    def _unavailable(self, reason: str) -> StorageUnavailable:
        return StorageUnavailable(
            f"S3 at {self._address} cannot be used: {reason}. Start it or correct AWS_ENDPOINT_URL, "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; with none of AWS_ENDPOINT_URL and "
            "NESTED_RAY_BUCKET set an embedded server is used"
        )


MISSING = "is missing"
WRONG_BYTES = "has other bytes than its sha256 says"


def _same(address: S3Address) -> S3Address:
    return address


class _Absent(Exception): ...


class _Exists(Exception): ...


class _BadDigest(Exception): ...


def _open_client(address: S3Address) -> Any:
    return boto3.Session().client(
        "s3",
        endpoint_url=address.endpoint_url,
        aws_access_key_id=address.access_key,
        aws_secret_access_key=address.secret_key,
        # The embedded server takes any region; elsewhere boto3's own variables decide.
        region_name="us-east-1" if address.access_key else None,
        config=botocore.config.Config(
            connect_timeout=3,
            read_timeout=60,
            retries={"total_max_attempts": 1},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if address.endpoint_url else "auto"},
        ),
    )


def _create_bucket(client: Any, bucket: str) -> None:
    try:
        client.head_bucket(Bucket=bucket)
    except botocore.exceptions.ClientError as exc:
        if _code(exc) not in _ABSENT_CODES | {"NoSuchBucket"}:
            raise
        region = client.meta.region_name
        elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            client.create_bucket(
                Bucket=bucket, **({} if region in ("us-east-1", "aws-global") else elsewhere)
            )
        except botocore.exceptions.ClientError as created:
            # Another process was faster.
            if _code(created) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise


def _code(exc: Exception) -> str:
    if isinstance(exc, botocore.exceptions.ClientError):
        return str(exc.response.get("Error", {}).get("Code", ""))
    return ""


def _passing_reason(exc: Exception) -> str | None:
    """Why waiting may help; None when the endpoint answered and meant it."""
    if isinstance(exc, botocore.exceptions.ClientError):
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return (
            str(exc) if _code(exc) in _PASSING_CODES or (status >= 500 and status != 501) else None
        )
    passing = (
        botocore.exceptions.HTTPClientError,
        botocore.exceptions.ConnectionError,
        botocore.exceptions.IncompleteReadError,
    )
    return str(exc) if isinstance(exc, passing) else None


def _base64(sha256: str) -> str:
    return b64encode(bytes.fromhex(sha256)).decode()
