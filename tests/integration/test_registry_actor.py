"""The registry through its Ray actor on a small local cluster."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray

from nested_ray.config.storage import StorageConfig
from nested_ray.errors import AliasConflict, VersionNotFound
from nested_ray.registry import Registry, connect
from nested_ray.registry.actor import NAMESPACE, ActorCatalog, actor_name
from nested_ray.registry.records import MoveRequest, NestDraft

MakeDraft = Callable[..., NestDraft]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # A short folder: Ray puts Unix sockets into it.
    folder = Path("/tmp") / f"nr-{os.getpid()}"
    ray.init(num_cpus=2, include_dashboard=False, _temp_dir=str(folder), logging_level="ERROR")
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def registry(cluster: None, storage: StorageConfig) -> Iterator[Registry]:
    with connect(storage) as registry:
        assert isinstance(registry.catalog, ActorCatalog)
        yield registry


def test_registry_of_a_cluster_works_through_one_actor(
    registry: Registry, storage: StorageConfig, make_draft: MakeDraft
) -> None:
    published = registry.publish(make_draft("actor", "run"))
    with connect(storage, use_actor=False) as direct:
        assert direct.resolve("actor") == published
    with connect(storage) as second:
        assert second.resolve("actor") == published
    names = [entry["name"] for entry in ray.util.list_named_actors(all_namespaces=True)]
    assert names.count(actor_name(storage)) == 1


def test_errors_of_the_catalog_arrive_as_they_are(
    registry: Registry, make_draft: MakeDraft
) -> None:
    registry.publish(make_draft("errors", "run"))
    with pytest.raises(VersionNotFound, match="no version 9; it has 1"):
        registry.resolve("errors", 9)
    stale = MoveRequest("errors", "champion", 1, 0, "stale", "me", "test")
    with pytest.raises(AliasConflict) as caught:
        registry.catalog.move_alias(stale)
    assert "Traceback" not in str(caught.value)


def test_worker_process_uses_the_same_registry(
    registry: Registry, storage: StorageConfig, make_draft: MakeDraft
) -> None:
    draft = make_draft("worker", "run")
    published = registry.publish(draft)

    def fetch(config: StorageConfig) -> tuple[str, bytes]:
        with connect(config) as own:
            version = own.resolve("worker")
            return version.run_id, (own.fetch(version) / "nest.json").read_bytes()

    answer = ray.get(ray.remote(fetch).options(num_cpus=0).remote(storage))
    assert answer == (published.run_id, draft.files["nest.json"].read_bytes())


def test_killed_actor_comes_back_and_repeated_calls_count_once(
    registry: Registry, storage: StorageConfig, make_draft: MakeDraft
) -> None:
    for run in ("a", "b"):
        registry.publish(make_draft("revived", run))
    actor = ray.get_actor(actor_name(storage), namespace=NAMESPACE)
    for number in range(2):
        pid = ray.get(actor.__ray_call__.remote(lambda _: os.getpid()))
        os.kill(pid, signal.SIGKILL)
        registry.promote("revived", 2 - number % 2)
    revs = [move.rev for move in registry.alias_history("revived")]
    assert revs == [1, 2, 3]


def test_collection_runs_through_the_actor(registry: Registry, make_draft: MakeDraft) -> None:
    version = registry.publish(make_draft("collected", "run"))
    registry.gc(grace_s=-60)
    assert registry.verify("collected") == ()
    assert registry.fetch(version).is_dir()
