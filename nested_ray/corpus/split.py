"""Documents → train, validation and test, by content, so that no text is on two sides."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import replace

from nested_ray.config.corpus import SplitConfig
from nested_ray.corpus.documents import Document, Split, digest_text
from nested_ray.errors import NoUsableFiles
from nested_ray.languages import get_language

SMALL_CORPUS = 20
"""Below this many files each one is cut into parts, so that every side gets some code."""
ENOUGH_FOR_THRESHOLDS = 1_000
"""From this many groups on, a group's side depends on its hash alone and stays as the corpus grows."""
MIN_GROUPS = 3
OVERSHOOT = 1.5


def split_documents(documents: Sequence[Document], config: SplitConfig) -> list[Document]:
    """The documents with their side set; files of a small corpus are cut into parts first.

    Texts that differ only in comments and white space form one group, and a group is on one side.
    The result does not depend on the order given. Raises NoUsableFiles when fewer than three
    groups remain.
    """
    if len(documents) < SMALL_CORPUS:
        documents = cut_documents(documents)
    groups = [group_of(document) for document in documents]
    sizes: dict[str, int] = {}
    for group, document in zip(groups, documents, strict=True):
        sizes[group] = sizes.get(group, 0) + len(document.text)
    if len(sizes) < MIN_GROUPS:
        raise NoUsableFiles(
            f"only {len(sizes)} different pieces of code ({sum(sizes.values()):,} characters) are left, "
            f"and train, validation and test need one each; add files, or longer ones"
        )
    sides = assign(sizes, config)
    return [
        replace(document, split=sides[group])
        for group, document in zip(groups, documents, strict=True)
    ]


def group_of(document: Document) -> str:
    """sha256 of the text without line comments and white space, hex.

    A comment sign inside a string is taken for a comment too: both copies of a text lose the same.
    """
    sign = get_language(document.language).line_comment
    code = "".join("".join(line.partition(sign)[0].split()) for line in document.text.split("\n"))
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def assign(sizes: Mapping[str, int], config: SplitConfig) -> dict[str, Split]:
    """A side for every group, given its size; none of the sides is empty when there are three."""
    if len(sizes) >= ENOUGH_FOR_THRESHOLDS:
        sides = {group: _by_threshold(group, config) for group in sizes}
        if len(set(sides.values())) == MIN_GROUPS:
            return sides
    return _by_quota(sizes, config)


def _by_threshold(group: str, config: SplitConfig) -> Split:
    position = int(group[:13], 16) / 16**13
    if position < config.test:
        return "test"
    return "validation" if position < config.test + config.validation else "train"


def _by_quota(sizes: Mapping[str, int], config: SplitConfig) -> dict[str, Split]:
    """Groups in order of hash fill test, then validation, up to their share of the characters.

    The largest group is always learnt from.
    """
    total = sum(sizes.values())
    largest = max(sizes, key=lambda group: (sizes[group], group))
    groups = sorted(sizes.keys() - {largest})
    test = _fill(groups, sizes, config.test * total, leave=1)
    groups = [group for group in groups if group not in test]
    validation = _fill(groups, sizes, config.validation * total, leave=0)
    sides: dict[str, Split] = dict.fromkeys(sizes, "train")
    return sides | dict.fromkeys(test, "test") | dict.fromkeys(validation, "validation")


def _fill(groups: Sequence[str], sizes: Mapping[str, int], quota: float, *, leave: int) -> set[str]:
    """Groups that reach the quota without much overshoot; the smallest one when none fits."""
    chosen: set[str] = set()
    filled = 0
    for group in groups:
        is_free = filled < quota and len(chosen) < len(groups) - leave
        if is_free and filled + sizes[group] <= OVERSHOOT * quota:
            chosen.add(group)
            filled += sizes[group]
    return chosen or {min(groups, key=lambda group: (sizes[group], group))}


# Cutting small corpora

ENOUGH_PARTS = 12
MIN_PART_CHARS = (200, 60, 1)
"""The coarsest of these that gives enough parts is taken."""
PARTS_WANTED = 60


def cut_documents(documents: Sequence[Document]) -> list[Document]:
    """Every document in parts that begin at top-level definitions, or else after blank lines."""
    total = sum(len(document.text) for document in documents)
    parts: list[Document] = []
    for min_chars in MIN_PART_CHARS:
        min_chars = max(min_chars, total // PARTS_WANTED) if min_chars > 1 else 1
        parts = [part for document in documents for part in cut(document, min_chars)]
        if len({part.digest for part in parts}) >= ENOUGH_PARTS:
            break
    return parts


def cut(document: Document, min_chars: int) -> list[Document]:
    """The document's parts in order; together they are its text."""
    texts = _merged(document.text, definition_starts(document), min_chars)
    if len(texts) < MIN_GROUPS:
        texts = _merged(document.text, paragraph_starts(document.text), min_chars)
    if len(texts) == 1:
        return [document]
    return [
        replace(
            document,
            path=part_path(document.path, number),
            text=text,
            digest=digest_text(text),
            cut_from=document.path,
        )
        for number, text in enumerate(texts, start=1)
    ]


def part_path(path: str, number: int) -> str:
    """`tools/run.py` → `tools/run.part2.py`: still a path of its language, and its own."""
    stem, extension = posixpath.splitext(path)
    return f"{stem}.part{number}{extension}"


def definition_starts(document: Document) -> list[int]:
    """Offsets of the lines where top-level definitions begin, decorators and comments included."""
    text = document.text
    language = get_language(document.language)
    leading = ("@", "&", language.line_comment)
    starts = []
    for definition in language.outline(text).definitions:
        if definition.parent is None and definition.kind != "variable":
            start = text.rfind("\n", 0, definition.span.start) + 1
            while start and text[_line_before(text, start) : start].startswith(leading):
                start = _line_before(text, start)
            starts.append(start)
    return sorted(set(starts))


def paragraph_starts(text: str) -> list[int]:
    """Offsets of lines that follow a blank line."""
    starts, offset, after_blank = [], 0, False
    for line in text.split("\n"):
        if line.strip() and after_blank:
            starts.append(offset)
        after_blank = not line.strip()
        offset += len(line) + 1
    return starts


def _line_before(text: str, start: int) -> int:
    return text.rfind("\n", 0, start - 1) + 1


def _merged(text: str, starts: Sequence[int], min_chars: int) -> list[str]:
    """Cut at the given offsets, skipping those that would leave less than `min_chars` of code."""
    pieces: list[str] = []
    begin = 0
    for start in starts:
        if len(text[begin:start].strip()) >= min_chars:
            pieces.append(text[begin:start])
            begin = start
    rest = text[begin:]
    if pieces and len(rest.strip()) < min_chars:
        pieces[-1] += rest
    else:
        pieces.append(rest)
    return pieces
