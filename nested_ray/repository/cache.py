"""OutlineCache: what was read of files, on disk, found by the hash of their content."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

import nested_ray.languages
import nested_ray.repository

logger = logging.getLogger(__name__)

FILE = "outlines.sqlite"
SCHEMA = """
CREATE TABLE IF NOT EXISTS outlines (
    key BLOB PRIMARY KEY, day INTEGER NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL,
    facts BLOB NOT NULL, refs BLOB NOT NULL
)
"""
MAX_CACHE_BYTES = 500_000_000
KEEP_SHARE = 0.8
"""Once too large, those not asked for longest are dropped down to this share."""
BUSY_TIMEOUT_S = 10.0
PER_QUERY = 500
DAY_S = 86_400


def content_key(language: str, text: str) -> bytes:
    """What decides an outline: the text, its language and the code that reads it."""
    digest = hashlib.sha256(f"{reader_version()}\n{language}\n".encode())
    digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.digest()


@lru_cache(maxsize=1)
def reader_version() -> str:
    """Changes with any line of the code that reads files, and with the parser it uses."""
    digest = hashlib.sha256(version("tree-sitter-python").encode())
    for package in (nested_ray.languages, nested_ray.repository):
        for file in sorted(Path(package.__path__[0]).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


class OutlineCache:
    """One SQLite file, so that two processes may use it at once; a damaged one is begun anew.

    It only saves time: whatever goes wrong with the disk, the answer is "not there".
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_CACHE_BYTES) -> None:
        self._path = folder / FILE
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None

    def get_facts(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Packed facts of those keys that are there."""
        found: dict[bytes, bytes] = {}
        for start in range(0, len(keys), PER_QUERY):
            some = keys[start : start + PER_QUERY]
            marks = ",".join("?" * len(some))
            query = f"SELECT key, crc, facts FROM outlines WHERE key IN ({marks})"
            for key, crc, facts in self._run(lambda db, q=query, k=some: db.execute(q, k)):
                if zlib.crc32(facts) == crc:
                    found[key] = facts
        return found

    def get_references(self, key: bytes) -> bytes | None:
        """Packed references of one key."""
        rows = self._run(lambda db: db.execute("SELECT refs FROM outlines WHERE key = ?", [key]))
        return rows[0][0] if rows else None

    def put(self, rows: Mapping[bytes, tuple[bytes, bytes]]) -> None:
        """Keep facts and references by key."""
        day = today()
        values = [
            (key, day, len(facts) + len(refs), zlib.crc32(facts), facts, refs)
            for key, (facts, refs) in rows.items()
        ]
        self._run(
            lambda db: db.executemany(
                "INSERT OR REPLACE INTO outlines VALUES (?, ?, ?, ?, ?, ?)", values
            )
        )

    def touch(self, keys: Iterable[bytes]) -> None:
        """Mark as used today, so that they are dropped last."""
        day = today()
        values = [(day, key, day) for key in keys]
        self._run(
            lambda db: db.executemany(
                "UPDATE outlines SET day = ? WHERE key = ? AND day <> ?", values
            )
        )

    def shrink(self) -> None:
        """Drop what was not asked for longest, when there is too much."""
        rows = self._run(
            lambda db: db.execute("SELECT key, size FROM outlines ORDER BY day DESC, key")
        )
        if sum(size for _, size in rows) <= self._max_bytes:
            return
        kept, dropped = 0, []
        for key, size in rows:
            kept += size
            if kept > self._max_bytes * KEEP_SHARE:
                dropped.append((key,))
        self._run(lambda db: db.executemany("DELETE FROM outlines WHERE key = ?", dropped))
        self._run(lambda db: db.execute("VACUUM"))

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _run(self, ask: Callable[[sqlite3.Connection], sqlite3.Cursor]) -> list[tuple[Any, ...]]:
        """The rows of one statement, committed; none when the disk does not let us."""
        with self._lock:
            for _ in range(2):
                try:
                    connection = self._connect()
                    rows = ask(connection).fetchall()
                    connection.commit()
                    return rows
                except sqlite3.OperationalError as exc:  # locked for too long, disk full, no rights
                    logger.warning("%s is not used: %s", self._path, exc)
                    return []
                except (sqlite3.DatabaseError, OSError) as exc:
                    logger.warning("%s is begun anew: %s", self._path, exc)
                    self._remove()
        return []

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_S, check_same_thread=False
            )
            # What a power cut takes is read again; the file itself stays whole for other processes.
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute(SCHEMA)
        return self._connection

    def _remove(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def today() -> int:
    return int(time.time() // DAY_S)
