"""The catalog in PostgreSQL: one transaction per call, named statements, frozen records."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout

from nested_ray.errors import AliasConflict, RegistryError, StorageUnavailable, VersionNotFound
from nested_ray.registry.addresses import without_password
from nested_ray.registry.catalog import CANDIDATE, CHAMPION, alias_moved, finite, publish_lost
from nested_ray.registry.migrations import load_queries, migrate
from nested_ray.registry.records import (
    AliasMove,
    AliasRecord,
    BlobObject,
    FileRecord,
    LevelRecord,
    MoveRequest,
    NestSummary,
    NestVersion,
    PublishRequest,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")
Row = DictRow
Connection = psycopg.Connection[Row]
_CONNECT = {"connect_timeout": 3, "tcp_user_timeout": 10_000, "row_factory": dict_row}
_MAX_VERSION = 2**31 - 1  # integer in the schema
_PASSING = ("starting up", "shutting down", "recovery", "too many", "not yet accepting")


class PostgresCatalog:
    """Implements Catalog. The pool opens at the first call, and a lost server is waited for."""

    def __init__(
        self, database_url: str, *, wait_s: float = 20.0, max_connections: int = 4
    ) -> None:
        self._url = database_url
        self._wait_s = wait_s
        self._migrated = False
        self._pool = ConnectionPool(
            database_url,
            connection_class=psycopg.Connection[Row],
            kwargs=_CONNECT,
            min_size=0,
            max_size=max_connections,
            open=False,
            timeout=2.0,
            check=_check,
            configure=_configure,
            name="registry",
        )

    def begin_publish(self, request: PublishRequest, *, token: str, lease_s: float) -> int | None:
        return self._transact(lambda rows: _begin_publish(rows, request, token, lease_s))

    def renew_lease(self, run_id: str, *, token: str, lease_s: float) -> None:
        def work(rows: _Rows) -> None:
            if not rows.run("renew_lease", run_id=run_id, token=token, lease_s=lease_s).rowcount:
                raise RegistryError(publish_lost(run_id))

        self._transact(work)

    def finish_publish(self, run_id: str, *, token: str, published_by: str) -> int:
        return self._transact(lambda rows: _finish_publish(rows, run_id, token, published_by))

    def find_version(self, nest: str, version: int) -> NestVersion | None:
        if version > _MAX_VERSION:
            return None
        rows = self._read("find_versions", nest=nest, version=version)
        return _version_from_row(rows[0]) if rows else None

    def list_versions(self, nest: str) -> tuple[NestVersion, ...]:
        rows = self._read("find_versions", nest=nest, version=None)
        return tuple(_version_from_row(row) for row in rows)

    def list_nests(self) -> tuple[NestSummary, ...]:
        return tuple(NestSummary(**row) for row in self._read("list_nests"))

    def list_aliases(self, nest: str) -> tuple[AliasRecord, ...]:
        return tuple(AliasRecord(**row) for row in self._read("list_aliases", nest=nest))

    def move_alias(self, request: MoveRequest) -> AliasMove:
        return self._transact(lambda rows: _move_alias(rows, request))

    def alias_history(self, nest: str, alias: str) -> tuple[AliasMove, ...]:
        rows = self._read("alias_history", nest=nest, alias=alias)
        return tuple(AliasMove(**row) for row in rows)

    def abort_expired(self) -> int:
        def work(rows: _Rows) -> int:
            expired = rows.all("abort_expired")
            for row in expired:
                rows.run("clear_files", id=row["id"])
            return len(expired)

        return self._transact(work)

    def adopt_blobs(self, objects: Iterable[BlobObject]) -> None:
        found = sorted(objects, key=lambda blob: blob.sha256)

        def work(rows: _Rows) -> None:
            for blob in found:
                rows.run("adopt_blob", **vars(blob))

        self._transact(work)

    def delete_unreferenced(self, grace_s: float, delete: Callable[[str], None]) -> int:
        candidates = self._read("find_unreferenced", grace_s=grace_s)

        def collect(rows: _Rows, sha256: str) -> bool:
            rows.run("lock_blob", sha256=sha256)
            if not rows.one("is_unreferenced", sha256=sha256, grace_s=grace_s):
                return False
            # The object goes while its row is locked: a publisher of the same bytes waits, finds no
            # row and uploads again. Killed in between, the row stays and the next collection ends it.
            delete(sha256)
            rows.run("forget_blob", sha256=sha256)
            return True

        return sum(
            self._transact(lambda rows, sha=row["sha256"]: collect(rows, sha)) for row in candidates
        )

    def close(self) -> None:
        self._pool.close()

    def _read(self, name: str, **values: Any) -> list[Row]:
        return self._transact(lambda rows: rows.all(name, **values))

    def _transact(self, work: Callable[[_Rows], T]) -> T:
        """Run `work` in one transaction; again when the server went away or a deadlock broke it."""
        deadline = time.monotonic() + self._wait_s
        said = False
        while True:
            try:
                with self._connection() as connection, connection.transaction():
                    return work(_Rows(connection))
            except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as exc:
                # Deadlocks and serialisation failures are OperationalErrors as well.
                reason = self._reason(exc)
                if time.monotonic() > deadline or _is_final(reason):
                    raise self._unavailable(reason) from exc
                if not said:
                    said = True
                    logger.info("waiting for %s: %s", without_password(self._url), reason)
                time.sleep(0.2)
            except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege) as exc:
                self._migrated = False
                raise self._unavailable(str(exc)) from exc

    def _connection(self) -> AbstractContextManager[Connection]:
        if self._pool.closed:
            with suppress(psycopg.OperationalError):
                self._pool.open()
        if not self._migrated:
            with psycopg.connect(self._url, connect_timeout=3, autocommit=True) as connection:
                if applied := migrate(connection):
                    logger.info("applied migrations %s", ", ".join(applied))
            self._migrated = True
        return self._pool.connection()

    def _reason(self, exc: Exception) -> str:
        if not isinstance(exc, PoolTimeout):
            return str(exc).strip().replace("\n", " ")
        try:  # the pool keeps the reason to itself
            psycopg.connect(self._url, connect_timeout=3).close()
        except psycopg.Error as direct:
            return str(direct).strip().replace("\n", " ")
        return str(exc)

    def _unavailable(self, reason: str) -> StorageUnavailable:
        return StorageUnavailable(
            f"PostgreSQL at {without_password(self._url)} cannot be used: {reason}. Start it or "
            "correct DATABASE_URL; without DATABASE_URL an embedded server is used"
        )


class _Rows:
    """Named statements on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, name: str, /, **values: Any) -> psycopg.Cursor[Row]:
        return self._connection.execute(load_queries()[name], values)

    def all(self, name: str, /, **values: Any) -> list[Row]:
        return self.run(name, **values).fetchall()

    def one(self, name: str, /, **values: Any) -> Row | None:
        return self.run(name, **values).fetchone()

    def only(self, name: str, /, **values: Any) -> Row:
        row = self.one(name, **values)
        assert row is not None, f"{name} returned no row"
        return row


def _check(connection: Connection) -> None:
    connection.execute("SELECT 1")
    connection.commit()


def _configure(connection: Connection) -> None:
    connection.execute("SET statement_timeout = '60s'")
    connection.execute("SET idle_in_transaction_session_timeout = '60s'")
    connection.commit()


def _begin_publish(rows: _Rows, request: PublishRequest, token: str, lease_s: float) -> int | None:
    columns = {
        "nest": request.nest,
        "run_id": request.run_id,
        "corpus_digest": request.corpus_digest,
        "config": _json(request.config),
        "metrics": _json(request.metrics),
        "token": token,
        "lease_s": lease_s,
    }
    rows.run("create_nest", nest=request.nest)
    rows.run("lock_nest", nest=request.nest)
    rows.run("insert_pending", **columns)
    run = rows.only("lock_run", run_id=request.run_id)
    if run["nest"] != request.nest:
        raise RegistryError(
            f"run {request.run_id} belongs to nest {run['nest']} and cannot be published as "
            f"{request.nest}; give the training run another name"
        )
    if run["state"] == "ready":
        return run["version"]
    rows.run("take_over_pending", id=run["id"], **columns)
    rows.run("clear_levels", id=run["id"])
    rows.run("clear_files", id=run["id"])
    for level in request.levels:
        numbers = {"metrics": _json(level.metrics), "config": _json(level.config)}
        rows.run("insert_level", id=run["id"], **(vars(level) | numbers))
    sizes = {file.sha256: file.size_bytes for file in request.files}
    for sha256 in sorted(sizes):  # one order for everybody, or two publishers deadlock
        rows.run("use_blob", sha256=sha256, size_bytes=sizes[sha256])
    for file in request.files:
        rows.run("insert_file", id=run["id"], path=file.path, sha256=file.sha256)
    return None


def _finish_publish(rows: _Rows, run_id: str, token: str, published_by: str) -> int:
    owner = rows.one("find_run_nest", run_id=run_id)
    if owner is None:
        raise RegistryError(publish_lost(run_id))
    nest = owner["nest"]
    rows.run("lock_nest", nest=nest)
    run = rows.only("lock_run", run_id=run_id)
    if run["state"] == "ready":
        return run["version"]
    if run["state"] != "pending" or run["publish_token"] != token:
        raise RegistryError(publish_lost(run_id))
    version = rows.only("take_next_version", nest=nest)["version"]
    rows.run("make_ready", id=run["id"], version=version)
    current = {row["alias"]: row["version"] for row in rows.all("list_aliases", nest=nest)}
    for alias in (CANDIDATE, CHAMPION):
        if alias == CANDIDATE or alias not in current:
            _set_alias(
                rows,
                current.get(alias),
                nest=nest,
                alias=alias,
                version=version,
                move_id=f"publish {run_id} {alias}",
                moved_by=published_by,
                reason="first version" if alias == CHAMPION else "published",
            )
    return version


def _move_alias(rows: _Rows, request: MoveRequest) -> AliasMove:
    rows.run("lock_nest", nest=request.nest)
    if done := rows.one("find_move", move_id=request.move_id):
        return AliasMove(**done)
    if not rows.one("find_versions", nest=request.nest, version=request.version):
        raise VersionNotFound(f"{request.nest} has no version {request.version}")
    aliases = {row["alias"]: row for row in rows.all("list_aliases", nest=request.nest)}
    current = aliases.get(request.alias)
    rev = current["rev"] if current else 0
    if rev != request.expected_rev:
        raise AliasConflict(alias_moved(request, rev))
    return _set_alias(
        rows,
        current["version"] if current else None,
        nest=request.nest,
        alias=request.alias,
        version=request.version,
        move_id=request.move_id,
        moved_by=request.moved_by,
        reason=request.reason,
    )


def _set_alias(rows: _Rows, from_version: int | None, **values: Any) -> AliasMove:
    rev = rows.only("set_alias", **values)["rev"]
    return AliasMove(**rows.only("record_move", rev=rev, from_version=from_version, **values))


def _version_from_row(row: Row) -> NestVersion:
    files = sorted((FileRecord(**file) for file in row["files"]), key=lambda file: file.path)
    return NestVersion(
        nest=row["nest"],
        version=row["version"],
        state=row["state"],
        run_id=row["run_id"],
        corpus_digest=row["corpus_digest"],
        created_at=row["created_at"],
        config=row["config"],
        metrics=row["metrics"],
        levels=tuple(LevelRecord(**level) for level in row["levels"]),
        files=tuple(files),
        aliases=tuple(row["aliases"]),
    )


def _json(values: Mapping[str, Any]) -> Jsonb:
    return Jsonb(finite(values))


def _is_final(reason: str) -> bool:
    """The server answered and said no: waiting would not help."""
    return "FATAL:" in reason and not any(word in reason for word in _PASSING)
