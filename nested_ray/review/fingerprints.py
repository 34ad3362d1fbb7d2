"""Fingerprints: what makes a finding the same finding after the lines around it moved."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from nested_ray.analyzers.findings import Finding
from nested_ray.repository.base import Repository
from nested_ray.review.lines import Lines

MAX_ANCHOR_LINES = 3
"""A finding on more lines than this is about the whole, and is recognised by its first line."""
MAX_ANCHOR_CHARS = 1_000
DIGEST_CHARS = 32

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Found:
    """A finding with what recognises it in another version of the code."""

    finding: Finding
    path: str
    """What its file is called in the version it is compared with."""
    anchor: str
    """Its offending lines without white space."""
    fingerprint: str = ""
    """Also tells equal findings of one definition apart, by order; given by `number`."""
    is_silenced: bool = False
    """By a comment in the code."""

    @property
    def key(self) -> Key:
        """What equal findings share."""
        return (*self.loose_key, self.finding.symbol)

    @property
    def loose_key(self) -> tuple[str, str, str]:
        """The key without the definition, which may have been renamed."""
        return (self.finding.rule, self.path, self.anchor)


def locate(
    findings: Iterable[Finding],
    repository: Repository,
    sources: Mapping[str, Lines],
    renamed: Mapping[str, str] | None = None,
) -> list[Found]:
    """Findings with symbol and anchor, in order of path and place.

    `renamed` says what a path of this version is called in the version it is compared with.
    """
    symbols = SymbolFinder(repository)
    found: list[Found] = []
    for finding in findings:
        symbol = finding.symbol or symbols.at(finding.path, finding.span.start)
        path = (renamed or {}).get(finding.path, finding.path)
        anchor = anchor_of(finding, sources[finding.path])
        found.append(Found(replace(finding, symbol=symbol), path, anchor))
    return sorted(found, key=order_of)


def order_of(found: Found) -> tuple[str, int, int, str]:
    """By path and place."""
    finding = found.finding
    return finding.path, finding.span.start, finding.span.end, finding.rule


def anchor_of(finding: Finding, lines: Lines) -> str:
    """The text a finding is recognised by: its lines without white space, so that indenting keeps it."""
    numbers = lines.numbers(finding.span)
    if len(numbers) > MAX_ANCHOR_LINES:
        # A remark on a file as a whole has no line of its own.
        numbers = range(0) if numbers[0] == 1 else numbers[:1]
    elif finding.span.end <= finding.span.start == 0:
        numbers = range(0)
    text = "".join(lines.line(number)[:MAX_ANCHOR_CHARS] for number in numbers)
    return "".join(text.split())


def number(found: Iterable[Found]) -> list[Found]:
    """The findings, in order of path and place, each with its fingerprint."""
    counts: Counter[Key] = Counter()
    numbered: list[Found] = []
    for each in found:
        counts[each.key] += 1
        numbered.append(replace(each, fingerprint=fingerprint(each.key, counts[each.key])))
    return numbered


def fingerprint(key: tuple[str, ...], occurrence: int) -> str:
    """Hex digest of what equal findings share and of which one of them it is."""
    parts = "\0".join((*key, str(occurrence)))
    digest = hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()
    return digest[:DIGEST_CHARS]


class SymbolFinder:
    """Names the definition that a place stands in."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._steps: dict[str, tuple[list[int], list[str]]] = {}

    def at(self, path: str, offset: int) -> str:
        """`Class.method`, or empty at module level; of nested definitions the innermost."""
        if path not in self._steps:
            self._steps[path] = steps_of(self._definitions(path))
        offsets, names = self._steps[path]
        return names[bisect_right(offsets, offset)]

    def _definitions(self, path: str) -> list[tuple[int, int, str]]:
        if path not in self._repository.files:
            return []
        return [
            (
                definition.span.start,
                definition.span.end,
                f"{definition.parent}.{definition.name}" if definition.parent else definition.name,
            )
            for definition in self._repository.outline(path).definitions
            if definition.kind != "variable"
        ]


def steps_of(definitions: Iterable[tuple[int, int, str]]) -> tuple[list[int], list[str]]:
    """Offsets where the innermost definition changes, and its name before each and after the last."""
    offsets: list[int] = []
    names = [""]
    around: list[tuple[int, str]] = []

    def leave(offset: int) -> None:
        while around and around[-1][0] <= offset:
            end, _ = around.pop()
            offsets.append(end)
            names.append(around[-1][1] if around else "")

    for start, end, name in sorted(definitions):
        leave(start)
        # A definition that outlasts the one around it is cut to it.
        around.append((min(end, around[-1][0]) if around else end, name))
        offsets.append(start)
        names.append(name)
    while around:
        leave(around[-1][0])
    return offsets, names
