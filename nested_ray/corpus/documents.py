"""Documents: the accepted files of a corpus, and the record of those that were refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Document:
    """One accepted file."""

    path: str
    """Relative to its source, `/`-separated: `asyncio/tasks.py`."""
    source: str
    """Which source it came from: `package:stdlib`, `git:/repo@abc123`."""
    language: str
    text: str
    """Decoded, without BOM, with `\\n` line ends."""
    digest: str
    """sha256 of the text as UTF-8, hex."""
    licence: str | None
    """SPDX expression, when one was found."""
    split: Split
    cut_from: str | None = None
    """Path of the whole file, when a small corpus was cut into parts; `path` is then the part's."""


@dataclass(frozen=True)
class Rejection:
    """One refused file and the reason a person would want to hear."""

    path: str
    source: str
    reason: str
    """One of REASONS."""
    detail: str = ""


REASONS = {
    "binary": "not text",
    "encoding": "neither UTF-8 nor a known single-byte encoding",
    "size": "larger than filters.max_file_bytes",
    "empty": "nothing in it",
    "duplicate": "same content as another file",
    "known": "in the corpus of the nest that is continued",
    "generated": "generated or minified",
    "secret": "a credential was found in it",
    "excluded": "left out by filters.include or filters.exclude",
    "unreadable": "the file could not be read",
}


def digest_text(text: str) -> str:
    """sha256 of the text as UTF-8, hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Corpus:
    """Accepted documents in a fixed order (source, path), and what was refused."""

    documents: tuple[Document, ...]
    rejections: tuple[Rejection, ...]
    num_other_language: int
    """Files of languages that were not asked for."""
    digest: str
    """sha256 over the documents' digests and splits: same corpus, same digest."""

    def split(self, name: Split) -> Iterator[Document]:
        return (document for document in self.documents if document.split == name)
