"""TokenizedSplit: the tokens of a split's documents on disk, memory-mapped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nested_ray.corpus.documents import Document
from nested_ray.datasets.tokenizer import NestTokenizer


@dataclass(frozen=True)
class TokenizedDocument:
    """Where a document's tokens come from."""

    path: str
    source: str
    language: str
    num_bytes: int


@dataclass(frozen=True)
class TokenizedSplit:
    """Documents as ids, each with a closing `<|endoftext|>`."""

    tokens: np.ndarray
    """(N,) uint16, all documents one after the other."""
    offsets: np.ndarray
    """(documents + 1,) int64: document i is `tokens[offsets[i]:offsets[i + 1]]`."""
    sources: tuple[TokenizedDocument, ...]

    def __len__(self) -> int:
        return len(self.sources)

    def document(self, index: int) -> np.ndarray:
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]

    def documents(self) -> Iterator[np.ndarray]:
        """uint16 ids of every document, in order."""
        return (self.document(index) for index in range(len(self)))

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        np.save(folder / "tokens.npy", self.tokens)
        np.save(folder / "offsets.npy", self.offsets)
        rows = [[s.path, s.source, s.language, s.num_bytes] for s in self.sources]
        text = json.dumps(rows, ensure_ascii=False)
        (folder / "documents.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> TokenizedSplit:
        rows = json.loads((folder / "documents.json").read_text(encoding="utf-8"))
        return cls(
            tokens=np.load(folder / "tokens.npy", mmap_mode="r"),
            offsets=np.load(folder / "offsets.npy"),
            sources=tuple(TokenizedDocument(*row) for row in rows),
        )


def tokenize_documents(documents: Sequence[Document], tokenizer: NestTokenizer) -> TokenizedSplit:
    """Encode every document once."""
    rows = tokenizer.encode_batch([document.text for document in documents])
    arrays = [np.array([*ids, tokenizer.end_of_text], dtype=np.uint16) for ids in rows]
    return TokenizedSplit(
        tokens=np.concatenate([*arrays, np.empty(0, np.uint16)]),
        offsets=np.cumsum([0, *map(len, arrays)], dtype=np.int64),
        sources=tuple(
            TokenizedDocument(d.path, d.source, d.language, len(d.text.encode("utf-8")))
            for d in documents
        ),
    )
