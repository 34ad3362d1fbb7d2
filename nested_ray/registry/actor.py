"""The catalog as a Ray actor: one per cluster and database, found by name, restarted for ever.

Ray repeats a call whose actor died under it, so calls arrive at least once. Every method of Catalog may
be repeated: publishes are named by their run and a token, moves by an id.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nested_ray.config.storage import StorageConfig
from nested_ray.errors import StorageUnavailable
from nested_ray.registry.catalog import Catalog
from nested_ray.registry.embedded import embedded_servers
from nested_ray.registry.opening import open_catalog
from nested_ray.registry.records import (
    AliasMove,
    AliasRecord,
    BlobObject,
    MoveRequest,
    NestSummary,
    NestVersion,
    PublishRequest,
)

NAMESPACE = "nested-ray"
ANSWER_WITHIN_S = 180.0  # more than the actor itself waits for its database
_METHODS = frozenset(name for name in vars(Catalog) if not name.startswith("_")) - {"close"}


class RegistryActor:
    """Opens PostgreSQL at the first call, not in the constructor: it may come up before its database."""

    def __init__(self, config: StorageConfig) -> None:
        self._config = config
        self._catalog: Catalog | None = None
        self._guard = threading.Lock()

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        if method not in _METHODS:
            raise ValueError(f"the catalog has no method {method}")
        return getattr(self._open(), method)(*arguments, **options)

    def _open(self) -> Catalog:
        with self._guard:
            if self._catalog is None:
                self._catalog = open_catalog(self._config)
            return self._catalog


class ActorCatalog:
    """Implements Catalog by asking the registry actor, which is created when there is none."""

    def __init__(self, config: StorageConfig) -> None:
        self._actor = get_or_create_actor(config)

    def begin_publish(self, request: PublishRequest, *, token: str, lease_s: float) -> int | None:
        return self._call("begin_publish", request, token=token, lease_s=lease_s)

    def renew_lease(self, run_id: str, *, token: str, lease_s: float) -> None:
        self._call("renew_lease", run_id, token=token, lease_s=lease_s)

    def finish_publish(self, run_id: str, *, token: str, published_by: str) -> int:
        return self._call("finish_publish", run_id, token=token, published_by=published_by)

    def find_version(self, nest: str, version: int) -> NestVersion | None:
        return self._call("find_version", nest, version)

    def list_versions(self, nest: str) -> tuple[NestVersion, ...]:
        return self._call("list_versions", nest)

    def list_nests(self) -> tuple[NestSummary, ...]:
        return self._call("list_nests")

    def list_aliases(self, nest: str) -> tuple[AliasRecord, ...]:
        return self._call("list_aliases", nest)

    def move_alias(self, request: MoveRequest) -> AliasMove:
        return self._call("move_alias", request)

    def alias_history(self, nest: str, alias: str) -> tuple[AliasMove, ...]:
        return self._call("alias_history", nest, alias)

    def abort_expired(self) -> int:
        return self._call("abort_expired")

    def adopt_blobs(self, objects: Iterable[BlobObject]) -> None:
        self._call("adopt_blobs", tuple(objects))

    def delete_unreferenced(self, grace_s: float, delete: Callable[[str], None]) -> int:
        return self._call("delete_unreferenced", grace_s, delete)

    def close(self) -> None:
        """Nothing to close: the actor is everybody's."""

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        try:
            answer = self._actor.call.remote(method, *arguments, **options)
            return ray.get(answer, timeout=ANSWER_WITHIN_S)
        except RayTaskError as exc:
            raise exc.cause from None  # the catalog's own error, without the remote traceback
        except (RayActorError, GetTimeoutError) as exc:
            raise StorageUnavailable(
                f"the registry actor does not answer ({type(exc).__name__}); look at its log in the Ray "
                "dashboard, or work without Ray through `nested-ray registry`"
            ) from exc


def get_or_create_actor(config: StorageConfig) -> Any:
    """The actor of this cluster for this database; a second database gets a second actor."""
    options: dict[str, Any] = {}
    if "postgres" in embedded_servers(config):
        # An embedded server is reached through a Unix socket, on this machine only.
        here = ray.get_runtime_context().get_node_id()
        options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(here, soft=False)
    actor = ray.remote(RegistryActor).options(
        name=actor_name(config),
        namespace=NAMESPACE,
        get_if_exists=True,
        lifetime="detached",  # outlives the job that was first to ask
        max_restarts=-1,
        max_task_retries=-1,
        max_concurrency=8,
        num_cpus=0,
        **options,
    )
    return actor.remote(config)


def actor_name(config: StorageConfig) -> str:
    place = config.database_url or str(config.home)
    return f"registry-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
