"""Settings → open connections to what a registry stands on, given back when it is closed."""

from __future__ import annotations

import threading

from nested_ray.config.storage import StorageConfig
from nested_ray.errors import StorageUnavailable
from nested_ray.registry.addresses import S3Address
from nested_ray.registry.embedded import ServerName, ensure_storage, release_storage
from nested_ray.registry.postgres import PostgresCatalog


def open_catalog(config: StorageConfig) -> PostgresCatalog:
    """The catalog alone, for as long as this process lives. Raises StorageUnavailable."""
    return OpenStorage(config).open_catalog()


class OpenStorage:
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
