"""What the registry stores, as frozen records; one class per row shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

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
