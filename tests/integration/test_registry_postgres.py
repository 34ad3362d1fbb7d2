"""The schema and the catalog on a real PostgreSQL, and what is said when it is not there."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from nested_ray.errors import StorageError, StorageUnavailable
from nested_ray.registry.addresses import StorageAddresses
from nested_ray.registry.migrations import migrate, migration_files
from nested_ray.registry.postgres import PostgresCatalog
from nested_ray.registry.records import NestDraft

_numbers = itertools.count()


@pytest.fixture
def database_url(addresses: StorageAddresses) -> Iterator[str]:
    """An empty database of its own."""
    assert addresses.database_url
    name = f"fresh{next(_numbers)}"
    with psycopg.connect(addresses.database_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    yield urlunsplit(urlsplit(addresses.database_url)._replace(path=f"/{name}"))
    with psycopg.connect(addresses.database_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_migrations_run_once(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert migrate(connection) == sorted(migration_files())
        assert migrate(connection) == []
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
    assert {name for (name,) in tables} == {
        *("nest", "nest_version", "level_version", "blob", "file", "alias", "alias_event"),
        "schema_migration",
    }


def test_migrations_of_many_processes_at_once_run_once(database_url: str) -> None:
    def run(_: int) -> list[str]:
        with psycopg.connect(database_url) as connection:
            return migrate(connection)

    with ThreadPoolExecutor(6) as pool:
        applied = list(itertools.chain(*pool.map(run, range(6))))
    assert applied == sorted(migration_files())


def test_edited_or_unknown_migration_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        migrate(connection)
        connection.execute("INSERT INTO schema_migration (name, sha256) VALUES ('999_x.sql', '')")
        with pytest.raises(StorageError, match=r"999_x\.sql.*newer nested-ray"):
            migrate(connection)
        connection.execute("DELETE FROM schema_migration WHERE name = '999_x.sql'")
        connection.execute("UPDATE schema_migration SET sha256 = 'other'")
        with pytest.raises(StorageError, match=r"001_init\.sql was changed"):
            migrate(connection)


def test_alias_log_cannot_be_rewritten(
    database_url: str, make_draft: Callable[..., NestDraft]
) -> None:
    catalog = PostgresCatalog(database_url)
    catalog.list_nests()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO nest (name) VALUES ('n')")
        connection.execute(
            "INSERT INTO alias_event (move_id, nest, alias, to_version, rev, moved_by, reason)"
            " VALUES ('m', 'n', 'champion', 1, 1, 'me', 'test')"
        )
        for statement in (b"DELETE FROM alias_event", b"UPDATE alias_event SET moved_by = 'you'"):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                connection.execute(statement)
    catalog.close()


def test_collector_waits_for_a_publisher_that_is_about_to_use_the_object(database_url: str) -> None:
    sha256 = "a" * 64
    catalog = PostgresCatalog(database_url)
    catalog.list_nests()
    deleted: list[str] = []
    with psycopg.connect(database_url) as publisher:
        publisher.execute("INSERT INTO nest (name) VALUES ('n')")
        publisher.execute(
            "INSERT INTO blob (sha256, size_bytes, last_used_at) VALUES (%s, 1, 'epoch')", (sha256,)
        )
        publisher.commit()
        publisher.execute("UPDATE blob SET last_used_at = clock_timestamp()")
        publisher.execute(
            "INSERT INTO nest_version (nest, state, run_id, publish_token, lease_until, corpus_digest,"
            " config, metrics) VALUES ('n', 'pending', 'r', 't', 'infinity', '', '{}', '{}')"
        )
        publisher.execute("INSERT INTO file SELECT id, 'a.json', %s FROM nest_version", (sha256,))
        collector = threading.Thread(
            target=catalog.delete_unreferenced, args=(3600.0, deleted.append)
        )
        collector.start()
        _wait_for_lock(database_url)
        publisher.commit()
        collector.join(10)
    assert deleted == []
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM blob").fetchone() == (1,)
    catalog.close()


def _wait_for_lock(database_url: str) -> None:
    """Until some other connection waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with psycopg.connect(database_url, autocommit=True) as connection:
        while connection.execute(waiting).fetchone() == (0,):
            pass


def test_refused_login_is_said_at_once_and_without_the_password(
    addresses: StorageAddresses,
) -> None:
    assert addresses.database_url
    parts = urlsplit(addresses.database_url)
    wrong = urlunsplit(parts._replace(netloc="nobody:hunter2@"))
    catalog = PostgresCatalog(wrong, wait_s=300)  # longer than the test may take: no waiting
    with pytest.raises(StorageUnavailable, match=r"role .nobody. does not exist") as caught:
        catalog.list_nests()
    assert "hunter2" not in str(caught.value)
    assert "DATABASE_URL" in str(caught.value)
    catalog.close()


def test_wrong_password_is_said(addresses: StorageAddresses, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        (hba,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        with open(hba, encoding="utf-8") as file:
            before = file.read()
        connection.execute("CREATE ROLE keeper LOGIN PASSWORD 'right'")
        try:
            with open(hba, "w", encoding="utf-8") as file:
                file.write("local all keeper scram-sha-256\n" + before)
            connection.execute("SELECT pg_reload_conf()")
            wrong = urlunsplit(urlsplit(database_url)._replace(netloc="keeper:wrong@"))
            catalog = PostgresCatalog(wrong, wait_s=300)
            with pytest.raises(StorageUnavailable, match=r"keeper@/fresh.*password authentication"):
                catalog.list_nests()
            catalog.close()
        finally:
            with open(hba, "w", encoding="utf-8") as file:
                file.write(before)
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("DROP ROLE keeper")


def test_server_that_is_not_there_is_named_with_its_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        port = unused.getsockname()[1]
        catalog = PostgresCatalog(f"postgresql://me:secret@127.0.0.1:{port}/db", wait_s=0.5)
        with pytest.raises(
            StorageUnavailable, match=f"me@127.0.0.1:{port}/db cannot be used"
        ) as caught:
            catalog.list_nests()
        assert "secret" not in str(caught.value)
        catalog.close()
