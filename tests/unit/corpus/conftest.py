from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from nested_ray.config.corpus import CorpusConfig, FilterConfig, FolderSource
from nested_ray.corpus.documents import Document, digest_text


@pytest.fixture(scope="session")
def function_text() -> Callable[[int], str]:
    """A function that differs in its code from that of every other number."""

    def text(number: int, lines: int = 6) -> str:
        body = "".join(f"    total_{number} += step * {number + line}\n" for line in range(lines))
        return (
            f"def work_{number}(step):\n    total_{number} = 0\n{body}    return total_{number}\n"
        )

    return text


@pytest.fixture(scope="session")
def make_document() -> Callable[..., Document]:
    """A document that stands in no split yet."""

    def make(text: str, path: str = "a.py", language: str = "python") -> Document:
        return Document(path, "folder:/x", language, text, digest_text(text), None, "train")

    return make


@pytest.fixture(scope="session")
def folder_config() -> Callable[..., CorpusConfig]:
    """The settings for one folder; keywords are filters."""

    def config(folder: Path, **filters: object) -> CorpusConfig:
        return CorpusConfig(
            sources=(FolderSource(path=str(folder)),), filters=FilterConfig.model_validate(filters)
        )

    return config


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Mapping[str, str | bytes]], Path]:
    """Writes files under a fresh folder and returns it."""

    def write_files(files: Mapping[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / "code" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / "code"

    return write_files


@pytest.fixture
def git() -> Callable[..., str]:
    """Runs git in a folder, as nobody in particular."""

    def run(folder: Path, *arguments: str) -> str:
        identity = (
            "-c",
            "user.name=n",
            "-c",
            "user.email=n@example.org",
            "-c",
            "commit.gpgsign=false",
        )
        done = subprocess.run(
            ["git", "-C", str(folder), *identity, *arguments], capture_output=True, check=True
        )
        return done.stdout.decode()

    return run
