"""Numbered SQL files → an up-to-date schema; safe to run twice and by many at once."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib import resources

import psycopg

from nested_ray.errors import StorageError

_LOCK_ID = 0x6E65_7374  # "nest"
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migration (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


def migrate(connection: psycopg.Connection) -> list[str]:
    """Apply what is missing, in one transaction, and return the names applied.

    Raises StorageError when an applied file was edited afterwards, or when the database is newer than
    this program.
    """
    files = migration_files()
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_ID,))
        connection.execute(_TABLE)
        applied = dict(connection.execute("SELECT name, sha256 FROM schema_migration").fetchall())
        _check_history(applied, files)
        missing = [name for name in sorted(files) if name not in applied]
        for name in missing:
            connection.execute(files[name].encode())
            connection.execute(
                "INSERT INTO schema_migration (name, sha256) VALUES (%s, %s)",
                (name, _sha256(files[name])),
            )
    return missing


def migration_files() -> dict[str, str]:
    """Name → text of every numbered file, such as `001_init.sql`."""
    folder = resources.files("nested_ray.registry") / "sql"
    return {
        item.name: item.read_text(encoding="utf-8")
        for item in folder.iterdir()
        if re.fullmatch(r"\d{3}_\w+\.sql", item.name)
    }


@cache
def load_queries() -> dict[str, bytes]:
    """Name → statement of every block in queries.sql."""
    text = (resources.files("nested_ray.registry") / "sql" / "queries.sql").read_text("utf-8")
    queries: dict[str, bytes] = {}
    for block in text.split("-- name: ")[1:]:
        name, _, body = block.partition("\n")
        queries[name.strip()] = body.strip().encode()
    return queries


def _check_history(applied: dict[str, str], files: dict[str, str]) -> None:
    for name, digest in applied.items():
        if name not in files:
            raise StorageError(
                f"the database has migration {name}, which this version of nested-ray does not know; "
                "install the newer nested-ray that made it"
            )
        if _sha256(files[name]) != digest:
            raise StorageError(
                f"migration {name} was changed after it had been applied; restore the file and put "
                "the change into a new numbered one"
            )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
