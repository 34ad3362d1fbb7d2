"""Small code bases, written down as path → text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from nested_ray.analyzers.architecture.structure import Structure, read_structure
from nested_ray.languages import language_of
from nested_ray.repository.base import SourceFile
from nested_ray.repository.index import IndexedRepository, open_repository
from nested_ray.repository.metadata import MetadataText


def make_repository(texts: Mapping[str, str]) -> IndexedRepository:
    """Files of a known language as source, the others as metadata."""
    files, metadata = [], []
    for path, text in texts.items():
        language = language_of(path)
        if language is None:
            metadata.append(MetadataText(path, text))
        else:
            files.append(SourceFile(path, language.name, text))
    return open_repository(files, metadata=metadata)


@pytest.fixture
def repository_of() -> Callable[[Mapping[str, str]], IndexedRepository]:
    return make_repository


@pytest.fixture
def structure_of() -> Callable[[Mapping[str, str]], Structure]:
    return lambda texts: read_structure(make_repository(texts))


THEMES = {
    "billing": ("invoice", "payment", "tax", "customer", "amount", "discount"),
    "graphics": ("pixel", "canvas", "colour", "shader", "texture", "sprite"),
    "network": ("socket", "packet", "router", "latency", "header", "protocol"),
}


def themed_texts(modules: int = 8) -> dict[str, str]:
    """Three packages that speak of different things and only use their own modules."""
    texts: dict[str, str] = {}
    for package, words in THEMES.items():
        texts[f"{package}/__init__.py"] = ""
        for number in range(modules):
            first, second, third = (words[(number + step) % len(words)] for step in (0, 1, 2))
            other = (number + 1) % modules
            texts[f"{package}/part{number}.py"] = (
                f"from {package}.part{other} import make_{package}{other}\n\n\n"
                f"def make_{package}{number}({first}_value, {second}_count):\n"
                f"    {third}_total = {first}_value * {second}_count\n"
                f"    {first}_{third} = make_{package}{other}({third}_total, {second}_count)\n"
                f"    return {first}_{third} + {second}_count\n\n\n"
                f"def check_{number}({first}_{third}, {second}_rate):\n"
                f"    {second}_result = make_{package}{number}({first}_{third}, {second}_rate)\n"
                f"    {third}_list = [make_{package}{other}({second}_result, {first}_{third})]\n"
                f"    return {third}_list\n"
            )
    return texts


@pytest.fixture
def themed() -> dict[str, str]:
    return themed_texts()
