"""Labelled samples of design patterns, and how many of them are recognised."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nested_ray.analyzers.architecture.patterns import find_patterns
from nested_ray.analyzers.architecture.structure import read_structure
from nested_ray.languages import language_of
from nested_ray.repository.base import SourceFile
from nested_ray.repository.index import open_repository
from nested_ray.repository.scan import MetadataText

_SAMPLE = re.compile(r"^### (?P<name>\w+):[ \t]*(?P<labels>.*)$", re.MULTILINE)
_FILE = re.compile(r"^//// (?P<path>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class PatternSample:
    """A few files and the patterns that are in them."""

    name: str
    labels: frozenset[tuple[str, str]]
    """(pattern, symbol)."""
    files: tuple[SourceFile, ...]
    metadata: tuple[MetadataText, ...] = ()


@dataclass(frozen=True)
class PatternScore:
    """How well one pattern is recognised."""

    pattern: str
    num_right: int
    num_wrong: int
    num_missed: int

    @property
    def precision(self) -> float:
        return self.num_right / max(self.num_right + self.num_wrong, 1)

    @property
    def recall(self) -> float:
        return self.num_right / max(self.num_right + self.num_missed, 1)


def read_samples(text: str, default_path: str = "sample.py") -> list[PatternSample]:
    """Samples of one text: `### name: pattern symbol; …`, then code; `//// path` begins a further file."""
    headings = list(_SAMPLE.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    return [
        _sample(heading, text[heading.end() : end], default_path)
        for heading, end in zip(headings, ends, strict=True)
    ]


def _sample(heading: re.Match[str], body: str, default_path: str) -> PatternSample:
    labels = [part.split() for part in heading["labels"].split(";") if part.strip()]
    files: list[SourceFile] = []
    metadata: list[MetadataText] = []
    for path, content in _parts(body.strip("\n") + "\n", default_path):
        language = language_of(path)
        if language is None:
            metadata.append(MetadataText(path, content))
        else:
            files.append(SourceFile(path, language.name, content))
    return PatternSample(
        heading["name"],
        frozenset((pattern, symbol) for pattern, symbol in labels),
        tuple(files),
        tuple(metadata),
    )


def _parts(body: str, default_path: str) -> Iterator[tuple[str, str]]:
    marks = list(_FILE.finditer(body))
    if not marks:
        yield default_path, body
        return
    ends = [mark.start() for mark in marks[1:]] + [len(body)]
    for mark, end in zip(marks, ends, strict=True):
        yield mark["path"].strip(), body[mark.end() + 1 : end]


def found_in(sample: PatternSample) -> set[tuple[str, str]]:
    """(pattern, symbol) recognised in a sample."""
    structure = read_structure(open_repository(sample.files, metadata=sample.metadata))
    return {(match.pattern, match.symbol) for match in find_patterns(structure)}


def score_patterns(samples: Sequence[PatternSample]) -> list[PatternScore]:
    """Per pattern over all samples, in order of name; a pattern at the wrong symbol is wrong and missed."""
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for sample in samples:
        found = found_in(sample)
        right.update(pattern for pattern, _ in found & sample.labels)
        wrong.update(pattern for pattern, _ in found - sample.labels)
        missed.update(pattern for pattern, _ in sample.labels - found)
    return [
        PatternScore(pattern, right[pattern], wrong[pattern], missed[pattern])
        for pattern in sorted({*right, *wrong, *missed})
    ]
