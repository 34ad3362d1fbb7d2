"""Checkpoints of a run in S3: a manifest each, and the files it names, all of them known by their sha256.

    checkpoints/<run name>/<settings>/manifests/<sha256>        of every run with this name and these settings
    checkpoints/<run name>/<settings>/<run id>/blobs/<sha256>   the files of one of them

A manifest is stored after its files, so an upload that ends half-way counts for nothing. Nothing in a key comes from
a file's name or from outside of the project.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nested_ray.checkpoints import step_of, verify_checkpoint
from nested_ray.errors import DigestMismatch
from nested_ray.files import sha256_of, sync, write_json
from nested_ray.registry.artifacts import Artifacts

logger = logging.getLogger(__name__)

KEEP = 2
"""Newest checkpoints of a level that stay."""
FORMAT = 1
FILE_NAME = re.compile(r"[a-z][a-z0-9.-]{0,63}")


@dataclass(frozen=True)
class StoredCheckpoint:
    """One manifest."""

    run_id: str
    level: str
    step: int
    number: int
    """Counts a run's uploads; the highest of a level is its newest."""
    learned_from: str
    """Digest of datasets and tokenizer; a checkpoint is of no use to others."""
    files: dict[str, str]
    """sha256 by name."""


class CheckpointArchive:
    """What one run keeps in S3. One process uses it at a time."""

    def __init__(
        self, artifacts: Artifacts, *, name: str, settings: str, run_id: str, learned_from: str
    ) -> None:
        self._run_id, self._learned_from = run_id, learned_from
        place = _place(name, settings)
        self._manifests = artifacts.folder(f"{place}/manifests/")
        self._blobs = artifacts.folder(f"{place}/{run_id}/blobs/")
        self._stored: dict[str, StoredCheckpoint] | None = None

    def store(self, level: str, checkpoint: Path) -> None:
        """Upload a checkpoint and forget the level's oldest ones.

        Raises StorageError when S3 cannot be used or the checkpoint is damaged, OSError when it is gone.
        """
        stored = self._read()
        verify_checkpoint(checkpoint)  # a damaged one must not push out a good one
        paths = [path for path in checkpoint.iterdir() if FILE_NAME.fullmatch(path.name)]
        files = {path.name: sha256_of(path) for path in paths}
        number = max((each.number for each in stored.values()), default=0) + 1
        step = step_of(checkpoint)
        manifest = StoredCheckpoint(self._run_id, level, step, number, self._learned_from, files)
        for name, sha256 in files.items():
            self._blobs.put(sha256, checkpoint / name)
        stored[self._put_manifest(manifest)] = manifest
        self._forget(level)

    def stored(self, level: str) -> list[StoredCheckpoint]:
        """A level's checkpoints, newest first. Raises StorageUnavailable."""
        return sorted(
            (each for each in self._read().values() if each.level == level),
            key=lambda each: -each.number,
        )

    def restore(self, checkpoint: StoredCheckpoint, storage: Path) -> Path:
        """Download a checkpoint into a level's folder; it appears there whole or not at all.

        Raises DigestMismatch for missing or wrong bytes, StorageUnavailable.
        """
        storage.mkdir(parents=True, exist_ok=True)
        target = storage / f"checkpoint_from_s3_{checkpoint.number:06d}"
        aside = Path(tempfile.mkdtemp(prefix=".from-s3-", dir=storage))
        try:
            for name, sha256 in checkpoint.files.items():
                self._blobs.download(sha256, aside / name)
                if (found := sha256_of(aside / name)) != sha256:
                    raise DigestMismatch(f"{name} in S3 should have sha256 {sha256}, found {found}")
                sync(aside / name)
            verify_checkpoint(aside)
            shutil.rmtree(target, ignore_errors=True)
            aside.rename(target)
            sync(storage)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return target

    def clear(self) -> None:
        """Delete everything of this run, manifests first. Raises StorageUnavailable."""
        for sha256 in list(self._read()):
            self._manifests.delete(sha256)
        self._stored = {}
        self._sweep()
        self._blobs.abort_uploads(older_than_s=0)

    def close(self) -> None:
        self._manifests.close()
        self._blobs.close()

    def _read(self) -> dict[str, StoredCheckpoint]:
        """This run's manifests by their sha256; nobody else writes them, so they are read once."""
        if self._stored is None:
            self._stored = {
                sha256: each
                for sha256, each in _manifests(self._manifests)
                if each.run_id == self._run_id and each.learned_from == self._learned_from
            }
        return self._stored

    def _put_manifest(self, manifest: StoredCheckpoint) -> str:
        with tempfile.TemporaryDirectory(prefix="nested-ray-upload-") as folder:
            path = Path(folder) / "manifest.json"
            write_json(path, {"format": FORMAT, **asdict(manifest)})
            sha256 = sha256_of(path)
            self._manifests.put(sha256, path)
        return sha256

    def _forget(self, level: str) -> None:
        for old in self.stored(level)[KEEP:]:
            sha256 = next(key for key, each in self._read().items() if each == old)
            self._manifests.delete(sha256)  # first: a manifest never names files that are gone
            del self._read()[sha256]
        self._sweep()

    def _sweep(self) -> None:
        """Delete files that no manifest names, those of uploads that ended half-way included."""
        named = {sha256 for each in self._read().values() for sha256 in each.files.values()}
        for blob in list(self._blobs.list_objects()):
            if blob.sha256 not in named:
                self._blobs.delete(blob.sha256)


def find_run(artifacts: Artifacts, *, name: str, settings: str, learned_from: str) -> str | None:
    """The run of this name, these settings and this corpus that stored a checkpoint last; None without one."""
    place = artifacts.folder(f"{_place(name, settings)}/manifests/")
    try:
        modified = {blob.sha256: blob.modified_at for blob in place.list_objects()}
        newest = max(
            (
                (modified[sha256], each.number, each.run_id)
                for sha256, each in _manifests(place)
                if each.learned_from == learned_from and sha256 in modified
            ),
            default=None,
        )
    finally:
        place.close()
    return newest[2] if newest else None


def _place(name: str, settings: str) -> str:
    return f"checkpoints/{name}/{settings}"


def _manifests(artifacts: Artifacts) -> Iterator[tuple[str, StoredCheckpoint]]:
    """Every manifest that is what its name says; others count for nothing."""
    with tempfile.TemporaryDirectory(prefix="nested-ray-upload-") as folder:
        path = Path(folder) / "manifest.json"
        for blob in list(artifacts.list_objects()):
            try:
                artifacts.download(blob.sha256, path)
                if sha256_of(path) != blob.sha256:
                    raise DigestMismatch("its bytes are not those of its name")
                yield blob.sha256, _checked(json.loads(path.read_text(encoding="utf-8")))
            except (DigestMismatch, ValueError, KeyError, TypeError) as exc:
                logger.warning(
                    "manifest %s of a checkpoint in S3 is left out: %s", blob.sha256, exc
                )


def _checked(values: dict[str, Any]) -> StoredCheckpoint:
    if values.pop("format") != FORMAT:
        raise ValueError("it is of another release")
    manifest = StoredCheckpoint(**values)
    if wrong := [name for name in manifest.files if not FILE_NAME.fullmatch(name)]:
        raise ValueError(f"it names {wrong[0]!r}, which is no file of a checkpoint")
    return manifest
