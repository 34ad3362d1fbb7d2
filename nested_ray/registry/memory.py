"""Catalog and artifacts in a dictionary, with the same behaviour as the real ones; for unit tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nested_ray.errors import AliasConflict, DigestMismatch, RegistryError, VersionNotFound
from nested_ray.registry.catalog import CANDIDATE, CHAMPION, alias_moved, finite, publish_lost
from nested_ray.registry.digests import sha256_of_bytes
from nested_ray.registry.records import (
    AliasMove,
    AliasRecord,
    BlobObject,
    MoveRequest,
    NestSummary,
    NestVersion,
    PublishRequest,
)


@dataclass
class _Run:
    request: PublishRequest
    token: str
    lease_until: datetime
    state: str = "pending"
    version: NestVersion | None = None


@dataclass
class _Nest:
    created_at: datetime
    versions: list[NestVersion] = field(default_factory=list[NestVersion])
    moves: list[AliasMove] = field(default_factory=list[AliasMove])


class InMemoryCatalog:
    """Implements Catalog."""

    def __init__(self) -> None:
        self._guard = threading.RLock()
        self._nests: dict[str, _Nest] = {}
        self._runs: dict[str, _Run] = {}
        self._moves: dict[str, AliasMove] = {}
        self._blobs: dict[str, datetime] = {}

    def begin_publish(self, request: PublishRequest, *, token: str, lease_s: float) -> int | None:
        with self._guard:
            run = self._runs.get(request.run_id)
            if run is not None and run.request.nest != request.nest:
                raise RegistryError(
                    f"run {request.run_id} belongs to nest {run.request.nest} and cannot be "
                    f"published as {request.nest}; give the training run another name"
                )
            if run is not None and run.version is not None:
                return run.version.version
            self._nests.setdefault(request.nest, _Nest(_now()))
            self._runs[request.run_id] = _Run(request, token, _now() + timedelta(seconds=lease_s))
            self._blobs |= {file.sha256: _now() for file in request.files}
            return None

    def renew_lease(self, run_id: str, *, token: str, lease_s: float) -> None:
        with self._guard:
            self._pending(run_id, token).lease_until = _now() + timedelta(seconds=lease_s)

    def finish_publish(self, run_id: str, *, token: str, published_by: str) -> int:
        with self._guard:
            run = self._runs.get(run_id)
            if run is not None and run.version is not None:
                return run.version.version
            run = self._pending(run_id, token)
            nest = self._nests[run.request.nest]
            version = _ready(run.request, len(nest.versions) + 1)
            nest.versions.append(version)
            run.state, run.version = "ready", version
            self._set_alias(
                nest, CANDIDATE, version, f"publish {run_id}", published_by, "published"
            )
            if not any(move.alias == CHAMPION for move in nest.moves):
                move_id = f"publish {run_id} {CHAMPION}"
                self._set_alias(nest, CHAMPION, version, move_id, published_by, "first version")
            return version.version

    def find_version(self, nest: str, version: int) -> NestVersion | None:
        return next((v for v in self.list_versions(nest) if v.version == version), None)

    def list_versions(self, nest: str) -> tuple[NestVersion, ...]:
        with self._guard:
            aliases = self.list_aliases(nest)
            versions = self._nests[nest].versions if nest in self._nests else []
            return tuple(
                replace(v, aliases=tuple(a.alias for a in aliases if a.version == v.version))
                for v in versions
            )

    def list_nests(self) -> tuple[NestSummary, ...]:
        with self._guard:
            return tuple(
                NestSummary(
                    name=name,
                    num_versions=len(nest.versions),
                    created_at=nest.created_at,
                    last_published_at=nest.versions[-1].created_at if nest.versions else None,
                )
                for name, nest in sorted(self._nests.items())
            )

    def list_aliases(self, nest: str) -> tuple[AliasRecord, ...]:
        with self._guard:
            moves = self._nests[nest].moves if nest in self._nests else []
            last = {move.alias: move for move in moves}
            return tuple(
                AliasRecord(nest, alias, move.to_version, move.rev)
                for alias, move in sorted(last.items())
            )

    def move_alias(self, request: MoveRequest) -> AliasMove:
        with self._guard:
            if request.move_id in self._moves:
                return self._moves[request.move_id]
            version = self.find_version(request.nest, request.version)
            if version is None:
                raise VersionNotFound(f"{request.nest} has no version {request.version}")
            history = self.alias_history(request.nest, request.alias)
            rev = history[-1].rev if history else 0
            if rev != request.expected_rev:
                raise AliasConflict(alias_moved(request, rev))
            return self._set_alias(
                self._nests[request.nest],
                request.alias,
                version,
                request.move_id,
                request.moved_by,
                request.reason,
            )

    def alias_history(self, nest: str, alias: str) -> tuple[AliasMove, ...]:
        with self._guard:
            moves = self._nests[nest].moves if nest in self._nests else []
            return tuple(move for move in moves if move.alias == alias)

    def abort_expired(self) -> int:
        with self._guard:
            expired = [
                run
                for run in self._runs.values()
                if run.state == "pending" and run.lease_until < _now()
            ]
            for run in expired:
                run.state = "aborted"
            return len(expired)

    def adopt_blobs(self, objects: Iterable[BlobObject]) -> None:
        with self._guard:
            for blob in objects:
                self._blobs.setdefault(blob.sha256, blob.modified_at)

    def delete_unreferenced(self, grace_s: float, delete: Callable[[str], None]) -> int:
        with self._guard:
            live = [run for run in self._runs.values() if run.state != "aborted"]
            needed = {file.sha256 for run in live for file in run.request.files}
            limit = _now() - timedelta(seconds=grace_s)
            unneeded = [s for s, used in self._blobs.items() if s not in needed and used < limit]
            for sha256 in unneeded:
                delete(sha256)
                del self._blobs[sha256]
            return len(unneeded)

    def close(self) -> None:
        pass

    def _pending(self, run_id: str, token: str) -> _Run:
        run = self._runs.get(run_id)
        if run is None or run.state != "pending" or run.token != token:
            raise RegistryError(publish_lost(run_id))
        return run

    def _set_alias(
        self, nest: _Nest, alias: str, to: NestVersion, move_id: str, moved_by: str, reason: str
    ) -> AliasMove:
        history = self.alias_history(to.nest, alias)
        move = AliasMove(
            nest=to.nest,
            alias=alias,
            from_version=history[-1].to_version if history else None,
            to_version=to.version,
            rev=len(history) + 1,
            moved_by=moved_by,
            reason=reason,
            moved_at=_now(),
        )
        nest.moves.append(move)
        self._moves[move_id] = move
        return move


class InMemoryArtifacts:
    """Implements Artifacts."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.modified: dict[str, datetime] = {}
        self._folders: dict[str, InMemoryArtifacts] = {}

    def check(self) -> None:
        pass

    def put(self, sha256: str, path: Path) -> None:
        content = path.read_bytes()
        if sha256_of_bytes(content) != sha256:
            raise DigestMismatch(f"{path} changed while it was published; publish again")
        self.objects[sha256] = content
        self.modified[sha256] = _now()

    def find_problem(self, sha256: str, size_bytes: int, *, read: bool) -> str | None:
        content = self.objects.get(sha256)
        if content is None:
            return "is missing"
        if len(content) != size_bytes:
            return f"has {len(content)} bytes instead of {size_bytes}"
        return (
            None if sha256_of_bytes(content) == sha256 else "has other bytes than its sha256 says"
        )

    def download(self, sha256: str, target: Path) -> None:
        if (content := self.objects.get(sha256)) is None:
            raise DigestMismatch(f"blobs/{sha256} is missing")
        target.write_bytes(content)

    def delete(self, sha256: str) -> None:
        self.objects.pop(sha256, None)

    def list_objects(self) -> Iterator[BlobObject]:
        for sha256, content in list(self.objects.items()):
            yield BlobObject(sha256, len(content), self.modified[sha256])

    def abort_uploads(self, older_than_s: float) -> int:
        return 0

    def folder(self, path: str) -> InMemoryArtifacts:
        return self._folders.setdefault(path, InMemoryArtifacts())

    def close(self) -> None:
        pass


def _ready(request: PublishRequest, number: int) -> NestVersion:
    return NestVersion(
        nest=request.nest,
        version=number,
        state="ready",
        run_id=request.run_id,
        corpus_digest=request.corpus_digest,
        created_at=_now(),
        config=finite(request.config),
        metrics=finite(request.metrics),
        levels=tuple(
            replace(level, metrics=finite(level.metrics), config=finite(level.config))
            for level in sorted(request.levels, key=lambda level: level.position)
        ),
        files=tuple(sorted(request.files, key=lambda file: file.path)),
    )


def _now() -> datetime:
    return datetime.now(UTC)
