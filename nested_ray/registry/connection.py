"""Settings → a Registry that is ready to use."""

from __future__ import annotations

import sys

from nested_ray.config.storage import StorageConfig
from nested_ray.registry.artifacts import S3Artifacts
from nested_ray.registry.catalog import Catalog
from nested_ray.registry.opening import OpenStorage
from nested_ray.registry.registry import Registry


def connect(config: StorageConfig, use_actor: bool | None = None) -> Registry:
    """A registry on the configured servers, or on embedded ones where none are configured.

    Its catalog is the registry actor of the Ray cluster this process belongs to, or PostgreSQL itself
    outside of one; `use_actor` decides otherwise. S3 is looked for (and an embedded one started) when
    bytes are first asked for. Close it, or use it in a `with`. Raises StorageUnavailable.
    """
    if use_actor is None:
        use_actor = _is_in_cluster()
    storage = OpenStorage(config)
    return Registry(
        _actor_catalog(config) if use_actor else storage.open_catalog(),
        S3Artifacts(storage.find_s3, wait_s=config.wait_s),
        config.home / "cache",
        on_close=storage.release,
    )


def _is_in_cluster() -> bool:
    # Not imported for the question: a process that has not loaded Ray is not in a cluster.
    ray = sys.modules.get("ray")
    return ray is not None and ray.is_initialized()


def _actor_catalog(config: StorageConfig) -> Catalog:
    from nested_ray.registry.actor import ActorCatalog

    return ActorCatalog(config)
