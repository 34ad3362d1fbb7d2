"""Settings → a Registry that is ready to use."""

from __future__ import annotations

import sys
import threading

from nested_ray.config.storage import StorageConfig
from nested_ray.errors import StorageUnavailable
from nested_ray.registry.addresses import S3Address
from nested_ray.registry.artifacts import S3Artifacts
from nested_ray.registry.catalog import Catalog
from nested_ray.registry.embedded import ServerName, ensure_storage, release_storage
from nested_ray.registry.postgres import PostgresCatalog
from nested_ray.registry.registry import Registry


def connect(config: StorageConfig, use_actor: bool | None = None) -> Registry:
    """A registry on the configured servers, or on embedded ones where none are configured.

    Its catalog is the registry actor of the Ray cluster this process belongs to, or PostgreSQL itself
    outside of one; `use_actor` decides otherwise. S3 is looked for (and an embedded one started) when
    bytes are first asked for. Close it, or use it in a `with`. Raises StorageUnavailable.
    """
    if use_actor is None:
        use_actor = _is_in_cluster()
    storage = _Storage(config)
    return Registry(
        _actor_catalog(config) if use_actor else storage.open_catalog(),
        S3Artifacts(storage.find_s3, wait_s=config.wait_s),
        config.home / "cache",
        on_close=storage.release,
    )


def open_catalog(config: StorageConfig) -> PostgresCatalog:
    """The catalog alone, for as long as this process lives. Raises StorageUnavailable."""
    return _Storage(config).open_catalog()


class _Storage:
    """What one registry uses, so that it can be given back."""

    def __init__(self, config: StorageConfig) -> None:
        self._config = config
        self._used: set[ServerName] = set()
        self._guard = threading.Lock()

    def open_catalog(self) -> PostgresCatalog:
        url = ensure_storage(self._config, {"postgres"}).database_url
        self._used.add("postgres")
        if url is None:
            raise StorageUnavailable("no PostgreSQL address; set DATABASE_URL")
        return PostgresCatalog(url, wait_s=self._config.wait_s, max_connections=8)

    def find_s3(self) -> S3Address:
        with self._guard:
            address = ensure_storage(self._config, {"s3"}).s3
            if "s3" in self._used:
                release_storage(self._config, {"s3"})
            self._used.add("s3")
        if address is None:
            raise StorageUnavailable("no S3 address; set AWS_ENDPOINT_URL or NESTED_RAY_BUCKET")
        return address

    def release(self) -> None:
        for name in self._used:
            release_storage(self._config, {name})
        self._used.clear()


def _is_in_cluster() -> bool:
    # Not imported for the question: a process that has not loaded Ray is not in a cluster.
    ray = sys.modules.get("ray")
    return ray is not None and ray.is_initialized()


def _actor_catalog(config: StorageConfig) -> Catalog:
    from nested_ray.registry.actor import ActorCatalog

    return ActorCatalog(config)
