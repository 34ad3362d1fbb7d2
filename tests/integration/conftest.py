"""Real neighbours: embedded servers in a temporary home, shared by the whole session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nested_ray.config.storage import StorageConfig
from nested_ray.registry.addresses import StorageAddresses
from nested_ray.registry.embedded import ensure_storage, release_storage
from nested_ray.registry.records import LevelRecord, NestDraft


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageConfig]:
    """Settings that mean embedded servers, which are up; the path holds a space on purpose."""
    config = StorageConfig(home=tmp_path_factory.mktemp("nested ray") / "home")
    ensure_storage(config)
    yield config
    release_storage(config)


@pytest.fixture(scope="session")
def addresses(storage: StorageConfig) -> Iterator[StorageAddresses]:
    yield ensure_storage(storage)
    release_storage(storage)


@pytest.fixture
def make_draft(tmp_path: Path) -> Callable[..., NestDraft]:
    """A small nest with files on disk; every argument changes one thing about it."""

    def make(
        nest: str,
        run_id: str,
        *,
        files: dict[str, bytes] | None = None,
        metrics: dict[str, object] | None = None,
    ) -> NestDraft:
        contents = files or {
            "nest.json": b'{"format": 1}',
            "levels/syntax/model.safetensors": run_id.encode() * 1000,
        }
        folder = tmp_path / "drafts" / nest / run_id
        paths: dict[str, Path] = {}
        for name, content in contents.items():
            paths[name] = folder / name
            paths[name].parent.mkdir(parents=True, exist_ok=True)
            paths[name].write_bytes(content)
        return NestDraft(
            nest=nest,
            run_id=f"{nest}/{run_id}",
            corpus_digest="c0ffee",
            config={"seed": 7, "name": "процедура"},
            metrics=metrics or {"bits_per_byte": 1.25},
            levels=(
                LevelRecord("semantics", "semantics", 1, 0.5, 2000, {"loss": 2.0}, {"hidden": 64}),
                LevelRecord("syntax", "syntax", 0, 0.3, 1000, {"loss": 3.0}, {"hidden": 32}),
            ),
            files=paths,
        )

    return make
