"""Nest directories on this machine, put together from a content-addressed cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import uuid
from pathlib import Path

from nested_ray.errors import DigestMismatch
from nested_ray.files import sha256_of, sync
from nested_ray.registry.artifacts import Artifacts
from nested_ray.registry.digests import check_path
from nested_ray.registry.processes import FileLock
from nested_ray.registry.records import FileRecord, NestVersion

_STALE_AFTER_S = 3600.0


class NestCache:
    """`<folder>/blobs/<sha256>` and `<folder>/nests/<nest>@<version>-<manifest>/…`."""

    def __init__(self, folder: Path, artifacts: Artifacts) -> None:
        self._blobs = folder / "blobs"
        self._nests = folder / "nests"
        self._artifacts = artifacts

    def fetch(self, version: NestVersion) -> Path:
        """The version's directory, every file checked against its sha256 at every call.

        A file that was damaged here is replaced. Several processes may fetch at once: one downloads,
        the others wait. Raises DigestMismatch when the store itself has lost or changed a file.
        """
        for file in version.files:
            check_path(file.path)
        folder = self._nests / f"{version.label}-{manifest_digest(version)[:12]}"
        self._blobs.mkdir(parents=True, exist_ok=True)
        with FileLock(self._nests / f".{folder.name}.lock"):
            self._sweep()
            if folder.exists():
                self._repair(folder, version)
            else:
                self._assemble(folder, version)
        return folder

    def _assemble(self, folder: Path, version: NestVersion) -> None:
        aside = self._nests / f".{folder.name}.{uuid.uuid4().hex}"
        for file in version.files:
            self._place(file, aside / file.path, version)
        aside.mkdir(parents=True, exist_ok=True)
        aside.rename(folder)

    def _repair(self, folder: Path, version: NestVersion) -> None:
        for file in version.files:
            if not _is_right(folder / file.path, file):
                self._place(file, folder / file.path, version)

    def _place(self, file: FileRecord, target: Path, version: NestVersion) -> None:
        blob = self._blobs / file.sha256
        if not _is_right(blob, file):
            self._download(file, blob, version)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            os.link(blob, aside)
        except OSError:
            shutil.copyfile(blob, aside)  # another file system, or one without hard links
        aside.replace(target)

    def _download(self, file: FileRecord, blob: Path, version: NestVersion) -> None:
        aside = blob.with_name(f".{blob.name}.{uuid.uuid4().hex}")
        try:
            self._artifacts.download(file.sha256, aside)
            if not _is_right(aside, file):
                raise DigestMismatch(f"blobs/{file.sha256} has other bytes than its name says")
            aside.chmod(0o444)  # hard-linked into several directories: nobody edits it in place
            sync(aside)
            aside.replace(blob)
        except DigestMismatch as exc:
            raise DigestMismatch(
                f"{version.label} cannot be fetched: {file.path} is damaged in the store ({exc}); point the "
                f"alias at another version with `nested-ray registry rollback {version.nest}` or "
                f"`nested-ray registry promote {version.nest}@VERSION`, or train the nest again"
            ) from exc
        finally:
            aside.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove what killed downloads left behind."""
        limit = time.time() - _STALE_AFTER_S
        for path in [*self._blobs.glob(".*"), *self._nests.glob(".*")]:
            try:
                if path.suffix == ".lock" or path.stat().st_mtime > limit:
                    continue
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            except FileNotFoundError:
                continue  # another process sweeps as well


def manifest_digest(version: NestVersion) -> str:
    """One digest for all files: two registries that share a home never share a directory by mistake."""
    lines = [f"{file.sha256} {file.path}\n" for file in version.files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _is_right(path: Path, file: FileRecord) -> bool:
    try:
        return path.stat().st_size == file.size_bytes and sha256_of(path) == file.sha256
    except OSError:
        return False
