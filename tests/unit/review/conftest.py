"""Reviews of small texts by analyzers whose findings can be counted by eye."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nested_ray.config.review import ReviewConfig
from nested_ray.review import Reviewers, ReviewReport, review

from .words import BAD, ODD, UGLY, WordAnalyzer, python


@pytest.fixture
def words() -> Reviewers:
    return Reviewers(
        [WordAnalyzer(BAD, "BAD"), WordAnalyzer(ODD, "ODD|BAD"), WordAnalyzer(UGLY, "UGLY")]
    )


Look = Callable[..., ReviewReport]


@pytest.fixture
def look(words: Reviewers) -> Look:
    """Review texts by path, with settings by name."""

    def look(
        texts: dict[str, str], *, settings: dict[str, Any] | None = None, **options: Any
    ) -> ReviewReport:
        options.setdefault("reviewers", words)
        files = [python(path, text) for path, text in texts.items()]
        return review(files, config=ReviewConfig(**(settings or {})), **options)

    return look
