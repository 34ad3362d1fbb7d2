"""One suite over the registry in memory and on PostgreSQL with S3."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from nested_ray.errors import (
    AliasConflict,
    AliasNotFound,
    DigestMismatch,
    NestNotFound,
    RegistryError,
    VersionNotFound,
)
from nested_ray.registry import Registry
from nested_ray.registry.artifacts import S3Artifacts
from nested_ray.registry.digests import sha256_of_bytes
from nested_ray.registry.memory import InMemoryArtifacts, InMemoryCatalog
from nested_ray.registry.postgres import PostgresCatalog
from nested_ray.registry.records import FileRecord, MoveRequest, NestDraft, PublishRequest

MakeDraft = Callable[..., NestDraft]
_numbers = itertools.count()


@pytest.fixture(params=["memory", "servers"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    cache = tmp_path / "cache"
    if request.param == "memory":
        yield Registry(InMemoryCatalog(), InMemoryArtifacts(), cache, user="tester")
        return
    addresses = request.getfixturevalue("addresses")
    catalog = PostgresCatalog(addresses.database_url)
    with Registry(catalog, S3Artifacts(lambda: addresses.s3), cache, user="tester") as real:
        yield real


@pytest.fixture
def nest() -> str:
    return f"nest-{next(_numbers)}"


def _request(draft: NestDraft) -> PublishRequest:
    files = tuple(
        FileRecord(name, sha256_of_bytes(path.read_bytes()), path.stat().st_size)
        for name, path in sorted(draft.files.items())
    )
    return PublishRequest(
        draft.nest,
        draft.run_id,
        draft.corpus_digest,
        draft.config,
        draft.metrics,
        draft.levels,
        files,
    )


def test_published_version_holds_what_the_run_handed_in(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    draft = make_draft(nest, "run", files={"b.json": b"two", "a.txt": b"one"})
    published = registry.publish(draft)
    assert registry.resolve(nest, 1) == published
    assert (published.nest, published.version, published.state) == (nest, 1, "ready")
    assert (published.run_id, published.corpus_digest) == (draft.run_id, "c0ffee")
    assert (published.config, published.metrics) == (draft.config, draft.metrics)
    assert published.levels == (draft.levels[1], draft.levels[0])  # by position
    assert published.files == (
        FileRecord("a.txt", "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed", 3),
        FileRecord("b.json", "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3", 3),
    )


def test_first_version_is_champion_and_every_new_one_candidate(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    assert registry.publish(make_draft(nest, "first")).aliases == ("candidate", "champion")
    assert registry.publish(make_draft(nest, "second")).aliases == ("candidate",)
    assert registry.resolve(nest).version == 1
    assert registry.resolve(nest, "candidate").version == 2
    assert [v.aliases for v in registry.list_versions(nest)] == [("champion",), ("candidate",)]


def test_publishing_a_run_again_gives_its_version(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    first = registry.publish(make_draft(nest, "run"))
    registry.publish(make_draft(nest, "other"))
    again = registry.publish(make_draft(nest, "run", files={"nest.json": b"changed"}))
    assert (again.version, again.files) == (1, first.files)
    assert len(registry.list_versions(nest)) == 2


def test_numbers_that_are_no_numbers_are_stored_as_null(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    metrics = {"loss": float("nan"), "steps": [1, float("inf")]}
    assert registry.publish(make_draft(nest, "run", metrics=metrics)).metrics == {
        "loss": None,
        "steps": [1, None],
    }


def test_run_of_another_nest_is_refused(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    draft = make_draft(nest, "run")
    registry.publish(draft)
    with pytest.raises(RegistryError, match=f"belongs to nest {nest} and cannot be published as"):
        registry.publish(replace(draft, nest=f"{nest}-b"))


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors.gz", "levels/x.pkl", "noext"])
def test_formats_that_can_run_code_are_refused(
    registry: Registry, nest: str, make_draft: MakeDraft, name: str
) -> None:
    with pytest.raises(RegistryError, match="safetensors"):
        registry.publish(make_draft(nest, "run", files={name: b"x"}))
    assert nest not in [summary.name for summary in registry.list_nests()]


def test_missing_file_is_named(registry: Registry, nest: str, make_draft: MakeDraft) -> None:
    draft = make_draft(nest, "run")
    draft.files["nest.json"].unlink()
    with pytest.raises(RegistryError, match=r"nest\.json of run .* is missing"):
        registry.publish(draft)


def test_promote_and_rollback_walk_the_history(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    for run in ("a", "b", "c"):
        registry.publish(make_draft(nest, run))
    registry.promote(nest, 2, reason="better")
    registry.promote(nest, 3)
    assert registry.rollback(nest).to_version == 2
    assert registry.rollback(nest).to_version == 1
    with pytest.raises(RegistryError, match="never was at an earlier one"):
        registry.rollback(nest)
    history = registry.alias_history(nest)
    assert [(m.rev, m.from_version, m.to_version) for m in history] == [
        (1, None, 1),
        (2, 1, 2),
        (3, 2, 3),
        (4, 3, 2),
        (5, 2, 1),
    ]
    assert (history[1].reason, history[1].moved_by) == ("better", "tester")
    assert registry.alias(nest, "champion").rev == 5


def test_promoting_to_where_the_alias_is_records_nothing(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    registry.publish(make_draft(nest, "a"))
    assert registry.promote(nest, 1) == registry.alias_history(nest)[0]
    assert len(registry.alias_history(nest)) == 1


def test_alias_that_moved_since_it_was_read_stays(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    for run in ("a", "b", "c"):
        registry.publish(make_draft(nest, run))
    read = registry.alias(nest, "champion")
    registry.promote(nest, 2)
    with pytest.raises(AliasConflict, match="revision 1 when it was read and is at 2"):
        registry.promote(nest, 3, expected_rev=read.rev)
    assert registry.resolve(nest).version == 2


def test_move_that_is_repeated_moves_once(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    for run in ("a", "b"):
        registry.publish(make_draft(nest, run))
    move = MoveRequest(nest, "champion", 2, 1, f"{nest} move", "tester", "once")
    assert registry.catalog.move_alias(move) == registry.catalog.move_alias(move)
    assert registry.alias(nest, "champion").rev == 2


def test_racing_promotions_leave_one_history(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    for run in ("a", "b", "c"):
        registry.publish(make_draft(nest, run))

    def promote(number: int) -> bool:
        try:
            registry.promote(nest, 1 + number % 3, alias="canary")
        except AliasConflict:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(promote, range(18)))
    history = registry.alias_history(nest, "canary")
    assert any(won)
    assert [move.rev for move in history] == list(range(1, len(history) + 1))
    assert all(b.from_version == a.to_version for a, b in itertools.pairwise(history))


def test_unfinished_publish_is_invisible_and_can_be_taken_over(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    draft = make_draft(nest, "run")
    registry.catalog.begin_publish(_request(draft), token="lost", lease_s=60)
    with pytest.raises(NestNotFound):
        registry.list_versions(nest)
    assert registry.publish(draft).version == 1
    with pytest.raises(RegistryError, match="taken over"):
        registry.catalog.renew_lease(draft.run_id, token="lost", lease_s=60)
    # The one that lost finds the version there, under the number it has.
    assert registry.catalog.finish_publish(draft.run_id, token="lost", published_by="x") == 1


def test_publisher_that_was_taken_over_cannot_finish(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    request = _request(make_draft(nest, "run"))
    registry.catalog.begin_publish(request, token="first", lease_s=60)
    registry.catalog.begin_publish(request, token="second", lease_s=60)
    with pytest.raises(RegistryError, match="taken over"):
        registry.catalog.finish_publish(request.run_id, token="first", published_by="x")
    assert registry.catalog.finish_publish(request.run_id, token="second", published_by="x") == 1


def test_expired_publish_is_fenced_and_its_run_can_be_published_again(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    draft = make_draft(nest, "run")
    registry.catalog.begin_publish(_request(draft), token="slow", lease_s=-1)
    assert registry.gc().publishes == 1
    with pytest.raises(RegistryError, match="publish the run again"):
        registry.catalog.finish_publish(draft.run_id, token="slow", published_by="x")
    assert registry.publish(draft).version == 1


def test_eight_publishers_at_once_get_contiguous_versions(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    drafts = [make_draft(nest, f"run{number}") for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(registry.publish, drafts))
    assert sorted(version.version for version in versions) == list(range(1, 17))
    assert {v.version: v.run_id for v in registry.list_versions(nest)} == {
        v.version: v.run_id for v in versions
    }


def test_collection_takes_only_what_no_version_needs(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    kept = registry.publish(make_draft(nest, "kept"))
    dead = make_draft(nest, "dead", files={"nest.json": b"orphan of " + nest.encode()})
    request = _request(dead)
    registry.catalog.begin_publish(request, token="dead", lease_s=-1)
    registry.artifacts.put(request.files[0].sha256, dead.files["nest.json"])
    stray = dead.files["nest.json"].with_name("stray.txt")
    stray.write_bytes(b"never announced by " + nest.encode())
    digest = sha256_of_bytes(stray.read_bytes())
    registry.artifacts.put(digest, stray)

    assert registry.gc(grace_s=3600).objects == 0, "young objects are left alone"
    assert registry.gc(grace_s=-60).objects >= 2
    left = {blob.sha256 for blob in registry.artifacts.list_objects()}
    assert not left & {digest, request.files[0].sha256}
    assert {file.sha256 for file in kept.files} <= left
    assert registry.verify(nest) == ()


def test_objects_of_a_running_publish_are_not_collected(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    draft = make_draft(nest, "run", files={"nest.json": b"in flight " + nest.encode()})
    request = _request(draft)
    registry.catalog.begin_publish(request, token="t", lease_s=600)
    registry.artifacts.put(request.files[0].sha256, draft.files["nest.json"])
    registry.gc(grace_s=-60)
    registry.catalog.finish_publish(draft.run_id, token="t", published_by="x")
    assert registry.verify(nest) == ()


def test_fetch_gives_the_published_bytes_and_repairs_local_damage(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    draft = make_draft(nest, "run")
    version = registry.publish(draft)
    folder = registry.fetch(version)
    for name, path in draft.files.items():
        assert (folder / name).read_bytes() == path.read_bytes()
    damaged = folder / "nest.json"
    damaged.chmod(0o644)
    damaged.write_bytes(b"damaged here")  # through the hard link, so the cached blob is damaged too
    (folder / "levels/syntax/model.safetensors").unlink()
    assert registry.fetch(version) == folder
    for name, path in draft.files.items():
        assert (folder / name).read_bytes() == path.read_bytes()


def test_parallel_fetches_agree(registry: Registry, nest: str, make_draft: MakeDraft) -> None:
    version = registry.publish(make_draft(nest, "run"))
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: registry.fetch(version), range(8)))
    assert len(set(folders)) == 1
    names = sorted(str(p.relative_to(folders[0])) for p in folders[0].rglob("*") if p.is_file())
    assert names == ["levels/syntax/model.safetensors", "nest.json"]


def test_lost_object_is_reported_and_cannot_be_fetched(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    version = registry.publish(make_draft(nest, "run", files={"nest.json": nest.encode()}))
    registry.artifacts.delete(version.files[0].sha256)
    (problem,) = registry.verify(nest)
    assert (problem.label, problem.path, problem.problem) == (
        f"{nest}@1",
        "nest.json",
        "is missing",
    )
    with pytest.raises(
        DigestMismatch, match=f"{nest}@1 cannot be fetched: nest.json.*rollback {nest}"
    ):
        registry.fetch(version)


def test_publishing_again_restores_what_the_store_lost(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    files = {"nest.json": nest.encode(), "report.json": b"report of " + nest.encode()}
    version = registry.publish(make_draft(nest, "run", files=files))
    for file in version.files:
        registry.artifacts.delete(file.sha256)
    files["report.json"] = b"changed since, " + nest.encode()
    assert registry.publish(make_draft(nest, "run", files=files)) == version
    (problem,) = registry.verify(
        nest
    )  # the draft holds other bytes now, which are not stored either
    assert problem.path == "report.json"
    changed = sha256_of_bytes(files["report.json"])
    assert registry.artifacts.find_problem(changed, 1, read=False) == "is missing"
    files["report.json"] = b"report of " + nest.encode()
    assert registry.publish(make_draft(nest, "run", files=files)) == version
    assert registry.verify(nest) == ()
    assert (registry.fetch(version) / "report.json").read_bytes() == files["report.json"]


def test_check_passes_where_publishing_will(registry: Registry) -> None:
    registry.check()


def test_what_is_not_there_is_answered_with_what_is(
    registry: Registry, nest: str, make_draft: MakeDraft
) -> None:
    with pytest.raises(NestNotFound, match=f"no nest '{nest}'.*nested-ray train"):
        registry.resolve(nest)
    registry.publish(make_draft(nest, "a"))
    registry.publish(make_draft(nest, "b"))
    with pytest.raises(VersionNotFound, match=re.escape("no version 7; it has 1, 2")):
        registry.resolve(nest, 7)
    with pytest.raises(VersionNotFound, match="no version 9999999999"):
        registry.resolve(nest, "9999999999")
    with pytest.raises(VersionNotFound):
        registry.promote(nest, 7)
    with pytest.raises(AliasNotFound, match=r"no alias 'stable'; it has candidate, champion\."):
        registry.resolve(nest, "stable")
    with pytest.raises(RegistryError, match="cannot be an alias"):
        registry.promote(nest, 2, alias="42")


def test_listing_counts_versions(registry: Registry, nest: str, make_draft: MakeDraft) -> None:
    published = [registry.publish(make_draft(nest, run)) for run in ("a", "b")]
    (summary,) = [s for s in registry.list_nests() if s.name == nest]
    assert (summary.num_versions, summary.last_published_at) == (2, published[1].created_at)
