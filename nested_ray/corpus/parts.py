"""Files of a small corpus cut into parts, so that one file of some length is enough to train on."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace

from nested_ray.corpus.documents import Document, digest_text
from nested_ray.languages import get_language

ENOUGH_PARTS = 12
MIN_PART_CHARS = (200, 60, 1)
"""The coarsest of these that gives enough parts is taken."""
PARTS_WANTED = 60
FEW_PARTS = 3
"""With fewer definitions a file, such as one large class, is cut at blank lines."""


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
    if len(texts) < FEW_PARTS:
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
