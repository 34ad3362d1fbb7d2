"""Nest versions: publish, resolve, promote, fetch. Rows in a catalog, bytes in artifacts."""

from __future__ import annotations

import getpass
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nested_ray.errors import AliasNotFound, NestNotFound, RegistryError, VersionNotFound
from nested_ray.files import sha256_of
from nested_ray.registry.artifacts import Artifacts
from nested_ray.registry.catalog import CHAMPION, Catalog
from nested_ray.registry.digests import check_path
from nested_ray.registry.local import NestCache
from nested_ray.registry.records import (
    AliasMove,
    AliasRecord,
    FileRecord,
    MoveRequest,
    NestDraft,
    NestSummary,
    NestVersion,
    PublishRequest,
)

logger = logging.getLogger(__name__)

LEASE_S = 900.0
"""A publisher that uploads one file for longer than this is taken for dead."""
GRACE_S = 4 * LEASE_S
"""Unreferenced objects younger than this are left alone; longer than any lease."""


@dataclass(frozen=True)
class BlobProblem:
    """One damaged or missing file of a ready version."""

    label: str
    path: str
    sha256: str
    problem: str


@dataclass(frozen=True)
class Collected:
    """What `gc` removed."""

    publishes: int
    objects: int
    uploads: int


class Registry:
    """The registry as its users see it; `connect` builds one."""

    def __init__(
        self,
        catalog: Catalog,
        artifacts: Artifacts,
        cache_folder: Path,
        *,
        user: str | None = None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.catalog = catalog
        self.artifacts = artifacts
        self._cache = NestCache(cache_folder, artifacts)
        self._user = user or _login_name()
        self._on_close = on_close

    def publish(self, draft: NestDraft) -> NestVersion:
        """Upload a training run's files and make them the next version of their nest.

        A crash at any point leaves the old state or the new one; publishing the run again finishes the
        job, or returns the version it became and stores those of its files again that the store has lost
        or damaged. Raises RegistryError for a path or format that is not accepted, DigestMismatch when a
        file changes meanwhile.
        """
        sources = _sources(draft)
        request = PublishRequest(
            nest=draft.nest,
            run_id=draft.run_id,
            corpus_digest=draft.corpus_digest,
            config=draft.config,
            metrics=draft.metrics,
            levels=draft.levels,
            files=tuple(sources),
        )
        token = uuid.uuid4().hex
        number = self.catalog.begin_publish(request, token=token, lease_s=LEASE_S)
        if number is not None:
            logger.info("run %s is published already, as %s@%d", draft.run_id, draft.nest, number)
            version = self._version(draft.nest, number)
            self._restore(version, sources)
            return version
        for file, path in sources.items():
            self.artifacts.put(file.sha256, path)
            self.catalog.renew_lease(draft.run_id, token=token, lease_s=LEASE_S)
        number = self.catalog.finish_publish(draft.run_id, token=token, published_by=self._user)
        logger.info("published %s@%d from run %s", draft.nest, number, draft.run_id)
        return self._version(draft.nest, number)

    def resolve(self, nest: str, ref: str | int = CHAMPION) -> NestVersion:
        """The version an alias or a number means.

        Raises NestNotFound, VersionNotFound or AliasNotFound; the message names what there is.
        """
        text = str(ref)
        return self._version(
            nest, int(text) if text.isdecimal() else self.alias(nest, text).version
        )

    def alias(self, nest: str, alias: str) -> AliasRecord:
        """Where an alias points, with its revision. Raises NestNotFound or AliasNotFound."""
        aliases = {record.alias: record for record in self.catalog.list_aliases(nest)}
        if alias in aliases:
            return aliases[alias]
        self._check_nest(nest)
        raise AliasNotFound(
            f"nest {nest} has no alias {alias!r}; it has {_listing(list(aliases))}. Set it with "
            f"`nested-ray registry promote {nest}@VERSION --alias {alias}`"
        )

    def list_nests(self) -> tuple[NestSummary, ...]:
        return self.catalog.list_nests()

    def list_versions(self, nest: str) -> tuple[NestVersion, ...]:
        """Oldest first. Raises NestNotFound."""
        versions = self.catalog.list_versions(nest)
        if not versions:
            self._check_nest(nest)
        return versions

    def list_aliases(self, nest: str) -> tuple[AliasRecord, ...]:
        self._check_nest(nest)
        return self.catalog.list_aliases(nest)

    def promote(
        self,
        nest: str,
        version: int,
        *,
        alias: str = CHAMPION,
        reason: str = "promoted",
        expected_rev: int | None = None,
    ) -> AliasMove:
        """Point an alias at a version; nothing is recorded when it points there already.

        Raises AliasConflict when somebody else moved it since `expected_rev` was read (without one: since
        this call began), and VersionNotFound or NestNotFound.
        """
        self._version(nest, version)
        records = {record.alias: record for record in self.catalog.list_aliases(nest)}
        current = records.get(alias)
        if expected_rev is None:
            expected_rev = current.rev if current else 0
        if current and (current.version, current.rev) == (version, expected_rev):
            return self.catalog.alias_history(nest, alias)[-1]
        move = MoveRequest(
            nest=nest,
            alias=_checked_alias(alias),
            version=version,
            expected_rev=expected_rev,
            move_id=uuid.uuid4().hex,
            moved_by=self._user,
            reason=reason,
        )
        return self.catalog.move_alias(move)

    def rollback(
        self, nest: str, *, alias: str = CHAMPION, reason: str = "rolled back"
    ) -> AliasMove:
        """Point an alias at what it meant before its present version; again goes one further back."""
        current = self.alias(nest, alias)
        trail = _trail(self.catalog.alias_history(nest, alias))
        if len(trail) < 2:
            raise RegistryError(
                f"{nest}@{alias} is at version {current.version} and never was at an earlier one; choose "
                f"a version with `nested-ray registry promote {nest}@VERSION --alias {alias}`"
            )
        return self.promote(nest, trail[-2], alias=alias, reason=reason, expected_rev=current.rev)

    def alias_history(self, nest: str, alias: str = CHAMPION) -> tuple[AliasMove, ...]:
        """Every move, oldest first. Raises NestNotFound or AliasNotFound."""
        self.alias(nest, alias)
        return self.catalog.alias_history(nest, alias)

    def fetch(self, version: NestVersion) -> Path:
        """A local directory with the version's files, digests checked; see NestCache.fetch."""
        return self._cache.fetch(version)

    def verify(self, nest: str | None = None, *, read: bool = True) -> tuple[BlobProblem, ...]:
        """Missing or damaged files of ready versions; `read` hashes every byte, else sizes and checksums."""
        names = [nest] if nest else [summary.name for summary in self.list_nests()]
        problems: dict[str, str | None] = {}
        found: list[BlobProblem] = []
        for version in (v for name in names for v in self.list_versions(name)):
            for file in version.files:
                if file.sha256 not in problems:
                    problem = self.artifacts.find_problem(file.sha256, file.size_bytes, read=read)
                    problems[file.sha256] = problem
                if (problem := problems[file.sha256]) is not None:
                    found.append(BlobProblem(version.label, file.path, file.sha256, problem))
        return tuple(found)

    def gc(self, grace_s: float = GRACE_S) -> Collected:
        """Remove what crashed publishes left: rows, objects no version needs, unfinished uploads.

        Fences first, then deletes: a publish whose lease ran out can no longer become visible.
        """
        publishes = self.catalog.abort_expired()
        self.catalog.adopt_blobs(self.artifacts.list_objects())
        objects = self.catalog.delete_unreferenced(grace_s, self.artifacts.delete)
        return Collected(publishes, objects, self.artifacts.abort_uploads(grace_s))

    def check(self) -> None:
        """Ask the catalog and the store once, so that a wrong address shows before work begins.

        Starts an embedded S3 and makes the bucket. Raises StorageUnavailable.
        """
        self.list_nests()
        self.artifacts.check()

    def close(self) -> None:
        self.catalog.close()
        self.artifacts.close()
        self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _restore(self, version: NestVersion, sources: dict[FileRecord, Path]) -> None:
        # Only what the version is made of: a file that changed since would be nobody's.
        for file in version.files:
            if (path := sources.get(file)) is not None:
                self.artifacts.put(file.sha256, path)

    def _version(self, nest: str, number: int) -> NestVersion:
        version = self.catalog.find_version(nest, number)
        if version is not None:
            return version
        self._check_nest(nest)
        numbers = [str(v.version) for v in self.catalog.list_versions(nest)]
        raise VersionNotFound(f"nest {nest} has no version {number}; it has {_listing(numbers)}")

    def _check_nest(self, nest: str) -> None:
        """Raise NestNotFound unless the nest has a version."""
        names = [summary.name for summary in self.list_nests() if summary.num_versions]
        if nest not in names:
            raise NestNotFound(
                f"no nest {nest!r} is registered; registered: {_listing(names)}. Train one with "
                "`nested-ray train train_configs/quickstart.yaml`"
            )


def _sources(draft: NestDraft) -> dict[FileRecord, Path]:
    """Every file of a draft with its digest; raises RegistryError for what is not accepted."""
    sources: dict[FileRecord, Path] = {}
    for name, path in sorted(draft.files.items()):
        check_path(name)
        if not path.is_file():
            raise RegistryError(f"{name} of run {draft.run_id} is missing: there is no file {path}")
        record = FileRecord(path=name, sha256=sha256_of(path), size_bytes=path.stat().st_size)
        sources[record] = path
    if not sources:
        raise RegistryError(f"run {draft.run_id} has no files to publish")
    return sources


def _trail(history: Sequence[AliasMove]) -> list[int]:
    """Versions an alias went through, without those it went back from."""
    trail: list[int] = []
    for move in history:
        if move.to_version in trail:
            del trail[trail.index(move.to_version) + 1 :]
        else:
            trail.append(move.to_version)
    return trail


def _checked_alias(alias: str) -> str:
    if (
        alias.isdecimal()
        or not alias.replace("-", "").replace("_", "").isalnum()
        or len(alias) > 64
    ):
        raise RegistryError(
            f"{alias!r} cannot be an alias: expected letters, digits, - and _, and not a number alone"
        )
    return alias


def _listing(names: Sequence[str]) -> str:
    if len(names) > 20:
        return f"{', '.join(names[:3])} … {names[-1]} ({len(names)} in all)"
    return ", ".join(names) or "none"


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
