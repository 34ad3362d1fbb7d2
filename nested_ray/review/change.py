"""Change: two versions of a code base, which lines of the new one are new, and what the old one called them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from nested_ray.repository.base import SourceFile
from nested_ray.repository.metadata import MetadataText

MAX_COMPARED_PAIRS = 250_000
"""Stretches of lines that hold no unique line in common and are larger than this count as rewritten."""
MIN_RENAME_SHARE = 0.5
MAX_RENAME_PAIRS = 2_000
MAX_RENAME_CHARS = 200_000


@dataclass(frozen=True)
class Change:
    """What turned the base into the files that are reviewed."""

    base: Sequence[SourceFile] | None
    """Every file as it was before; None when that is not known, and only findings on new lines count."""
    lines: Mapping[str, frozenset[int]]
    """By path in the new version: numbers of the lines that are new, or next to lines that were taken out."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Old path of files that were renamed, by new path."""
    base_metadata: Sequence[MetadataText] = ()
    """XML files of a 1C configuration as they were."""
    removed: frozenset[str] = frozenset()
    """Old paths of files that are gone, and not renamed."""


def compare(
    base: Sequence[SourceFile],
    files: Sequence[SourceFile],
    base_metadata: Sequence[MetadataText] = (),
) -> Change:
    """What happened between two versions of a code base."""
    old = {file.path: file for file in base}
    new = {file.path: file for file in files}
    added = [file for path, file in new.items() if path not in old]
    gone = [file for path, file in old.items() if path not in new]
    renamed = find_renames(gone, added)
    lines: dict[str, frozenset[int]] = {}
    for path, file in new.items():
        before = old.get(renamed.get(path, path))
        if before is None:
            lines[path] = all_lines(file.text)
        elif before.text != file.text:
            lines[path] = changed_lines(before.text, file.text)
        elif path in renamed:
            lines[path] = frozenset()
    removed = {file.path for file in gone} - set(renamed.values())
    return Change(base, lines, renamed, base_metadata, frozenset(removed))


def all_lines(text: str) -> frozenset[int]:
    return frozenset(range(1, text.count("\n") + 2))


def find_renames(gone: Sequence[SourceFile], added: Sequence[SourceFile]) -> dict[str, str]:
    """New path → old path for files that share at least half of their lines, the most alike first."""
    by_text = {file.text: file.path for file in reversed(gone)}
    renamed: dict[str, str] = {}
    for file in added:
        if file.text in by_text and file.text.strip():
            renamed[file.path] = by_text.pop(file.text)
    candidates: list[tuple[float, str, str]] = []
    taken = set(renamed.values())
    pairs = [
        (new, old)
        for new in added
        for old in gone
        if new.path not in renamed
        and old.path not in taken
        and new.language == old.language
        and max(len(new.text), len(old.text)) <= MAX_RENAME_CHARS
    ]
    for new, old in pairs[:MAX_RENAME_PAIRS]:
        alike = shared_lines(old.text, new.text)
        if alike >= MIN_RENAME_SHARE:
            candidates.append((-alike, new.path, old.path))
    for _, new_path, old_path in sorted(candidates):
        if new_path not in renamed and old_path not in taken:
            renamed[new_path] = old_path
            taken.add(old_path)
    return renamed


def shared_lines(old: str, new: str) -> float:
    """Lines that both hold, over the lines of the longer one; blank lines are not counted."""
    old_lines = {line.strip() for line in old.split("\n")} - {""}
    new_lines = {line.strip() for line in new.split("\n")} - {""}
    longer = max(len(old_lines), len(new_lines))
    return len(old_lines & new_lines) / longer if longer else 0.0


def changed_lines(old: str, new: str) -> frozenset[int]:
    """Numbers of the lines of the new text that are not in the old one, and those around a removal."""
    changed: set[int] = set()
    old_lines, new_lines = old.split("\n"), new.split("\n")
    pending = [(0, len(old_lines), 0, len(new_lines))]
    while pending:
        a, b, c, d = _trimmed(old_lines, new_lines, *pending.pop())
        if a == b or c == d:
            _mark(changed, c, d, was_removed=a < b, last=len(new_lines))
            continue
        anchors = _anchors(old_lines[a:b], new_lines[c:d])
        if anchors:
            pending += _between(anchors, a, b, c, d)
        elif (b - a) * (d - c) <= MAX_COMPARED_PAIRS:
            matcher = SequenceMatcher(None, old_lines[a:b], new_lines[c:d], autojunk=False)
            for tag, i, j, k, m in matcher.get_opcodes():
                if tag != "equal":
                    _mark(changed, c + k, c + m, was_removed=i < j, last=len(new_lines))
        else:
            _mark(changed, c, d, was_removed=True, last=len(new_lines))
    return frozenset(changed)


def _mark(changed: set[int], start: int, end: int, *, was_removed: bool, last: int) -> None:
    """Lines start..end (from 0) are new; where only something was taken out, its neighbours are marked."""
    if start < end:
        changed.update(range(start + 1, end + 1))
    elif was_removed:
        changed.update(number for number in (start, start + 1) if 1 <= number <= last)


def _trimmed(
    old: Sequence[str], new: Sequence[str], a: int, b: int, c: int, d: int
) -> tuple[int, int, int, int]:
    while a < b and c < d and old[a] == new[c]:
        a, c = a + 1, c + 1
    while a < b and c < d and old[b - 1] == new[d - 1]:
        b, d = b - 1, d - 1
    return a, b, c, d


def _between(
    anchors: Sequence[tuple[int, int]], a: int, b: int, c: int, d: int
) -> list[tuple[int, int, int, int]]:
    """The stretches before, between and after equal lines."""
    stretches: list[tuple[int, int, int, int]] = []
    i, k = a, c
    for x, y in anchors:
        stretches.append((i, a + x, k, c + y))
        i, k = a + x + 1, c + y + 1
    return [*stretches, (i, b, k, d)]


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Lines that stand once in both, the longest run of them in the same order (patience diff)."""
    where = _unique(new)
    pairs = [(i, where[line]) for line, i in _unique(old).items() if line in where]
    tails: list[int] = []
    chains: list[tuple[tuple[int, int], int]] = []
    ends: list[int] = []
    for pair in pairs:
        length = bisect_left(tails, pair[1])
        chains.append((pair, ends[length - 1] if length else -1))
        if length == len(tails):
            tails.append(pair[1])
            ends.append(len(chains) - 1)
        else:
            tails[length] = pair[1]
            ends[length] = len(chains) - 1
    found: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        pair, at = chains[at]
        found.append(pair)
    return found[::-1]


def _unique(lines: Sequence[str]) -> dict[str, int]:
    """Lines that stand once, in order, with where."""
    seen: dict[str, int] = {}
    for index, line in enumerate(lines):
        seen[line] = -1 if line in seen else index
    return {line: index for line, index in seen.items() if index >= 0}
