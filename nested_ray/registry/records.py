"""What the registry stores, as frozen records; one class per row shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

VersionState = Literal["pending", "ready", "aborted"]


@dataclass(frozen=True)
class FileRecord:
    """One file of a nest version; its bytes lie in S3 under its sha256."""

    path: str
    """Relative, `/`-separated: `levels/syntax/model.safetensors`."""
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class LevelRecord:
    """One level's model version inside a nest version."""

    name: str
    kind: str
    position: int
    """0 is the smallest level."""
    weight: float
    """Ensemble weight."""
    num_parameters: int
    metrics: dict[str, float]
    config: dict[str, Any]


@dataclass(frozen=True)
class NestVersion:
    """A published nest: what the router serves."""

    nest: str
    version: int
    state: VersionState
    run_id: str
    corpus_digest: str
    created_at: datetime
    config: dict[str, Any]
    """The resolved training config."""
    metrics: dict[str, Any]
    """The evaluation report."""
    levels: tuple[LevelRecord, ...]
    files: tuple[FileRecord, ...]
    aliases: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.nest}@{self.version}"

    @property
    def parent(self) -> str | None:
        """Label of the version it goes on from, such as `default@3`; None for one that began afresh."""
        continual = self.config.get("continual")
        if not isinstance(continual, dict):
            return None
        parent = cast("dict[str, Any]", continual).get("parent")
        return parent if isinstance(parent, str) else None


@dataclass(frozen=True)
class AliasMove:
    """One entry of the append-only alias log."""

    nest: str
    alias: str
    from_version: int | None
    to_version: int
    rev: int
    moved_by: str
    reason: str
    moved_at: datetime


@dataclass(frozen=True)
class NestDraft:
    """What a training run hands to `Registry.publish`."""

    nest: str
    run_id: str
    """Publishing the same run twice gives the same version."""
    corpus_digest: str
    config: dict[str, Any]
    metrics: dict[str, Any]
    levels: tuple[LevelRecord, ...]
    files: dict[str, Path] = field(default_factory=dict[str, Path])
    """Path inside the version → local file. Only `.safetensors`, `.json`, `.yaml`, `.txt` and `.npy` are accepted."""


@dataclass(frozen=True)
class NestSummary:
    """One nest in a listing."""

    name: str
    num_versions: int
    created_at: datetime
    last_published_at: datetime | None


@dataclass(frozen=True)
class AliasRecord:
    """Where an alias points; `rev` grows by one with every move."""

    nest: str
    alias: str
    version: int
    rev: int


@dataclass(frozen=True)
class PublishRequest:
    """The rows of a version that is about to be uploaded."""

    nest: str
    run_id: str
    corpus_digest: str
    config: dict[str, Any]
    metrics: dict[str, Any]
    levels: tuple[LevelRecord, ...]
    files: tuple[FileRecord, ...]


@dataclass(frozen=True)
class MoveRequest:
    """A compare-and-swap of one alias."""

    nest: str
    alias: str
    version: int
    expected_rev: int
    """The revision that was read; 0 when the alias did not exist."""
    move_id: str
    """Chosen by the caller; asking twice with one id moves once."""
    moved_by: str
    reason: str


@dataclass(frozen=True)
class BlobObject:
    """One object found in S3."""

    sha256: str
    size_bytes: int
    modified_at: datetime
