"""Repositories made of texts, and what the analyzer says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from nested_ray.analyzers.findings import Finding
from nested_ray.analyzers.semantics import SemanticsAnalyzer
from nested_ray.languages import get_language, language_of
from nested_ray.languages.base import Outline
from nested_ray.repository.base import Link, SourceFile

Analyze = Callable[..., list[Finding]]


class TextRepository:
    """A Repository of texts; links are given, not found."""

    def __init__(self, texts: Mapping[str, str], links: tuple[Link, ...] = ()) -> None:
        self.files: dict[str, SourceFile] = {}
        for path in sorted(texts):
            language = language_of(path)
            assert language is not None
            self.files[path] = SourceFile(path, language.name, texts[path])
        self.links = links

    def outline(self, path: str) -> Outline:
        file = self.files[path]
        return get_language(file.language).outline(file.text)


@pytest.fixture
def analyze() -> Analyze:
    """Texts by path (or one text) → findings in all of them, or in the one file called `only`."""

    def run(
        texts: Mapping[str, str] | str,
        *,
        links: tuple[Link, ...] = (),
        only: str | None = None,
        name: str = "code.py",
    ) -> list[Finding]:
        texts = {name: texts} if isinstance(texts, str) else texts
        repository = TextRepository(texts, links)
        return list(SemanticsAnalyzer().analyze(repository, [only] if only else list(texts)))

    return run
