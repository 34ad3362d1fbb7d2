"""Windows: the spans of a document's tokens that every level learns to predict."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nested_ray.corpus.documents import Document
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.levels.base import Place


@dataclass(frozen=True)
class Window:
    """`num_tokens` tokens of a document from `start` on."""

    document: int
    """Index in its split."""
    start: int
    num_tokens: int


def document_windows(document: int, num_tokens: int, window_tokens: int) -> list[Window]:
    """Consecutive full windows; the last one is moved back to be full.

    A document shorter than a window gives one short window.
    """
    if num_tokens <= window_tokens:
        return [Window(document, 0, num_tokens)] if num_tokens else []
    starts = list(range(0, num_tokens - window_tokens + 1, window_tokens))
    if num_tokens % window_tokens:
        starts.append(num_tokens - window_tokens)
    return [Window(document, start, window_tokens) for start in starts]


def split_windows(
    lengths: Sequence[int], *, window_tokens: int, max_windows: int, seed: int
) -> list[Window]:
    """Windows of all documents in order; a deterministic sample of `max_windows` where there are more."""
    windows = [
        window
        for document, num_tokens in enumerate(lengths)
        for window in document_windows(document, num_tokens, window_tokens)
    ]
    if len(windows) <= max_windows:
        return windows
    digest = hashlib.sha256(f"windows\n{seed}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
    picked = generator.choice(len(windows), size=max_windows, replace=False, shuffle=False)
    return [windows[index] for index in np.sort(picked).tolist()]


def places(
    document: Document, ids: np.ndarray, windows: Sequence[Window], tokenizer: NestTokenizer
) -> Iterator[Place]:
    """The Place of each window of one document, in the order of the windows.

    Equal to `text_before` of the tokens before the window, without decoding them again.
    """
    content = document.text.encode("utf-8")
    offsets = np.concatenate([[0], np.cumsum(tokenizer.token_sizes[ids])])
    for window in windows:
        before = content[: int(offsets[window.start])].decode("utf-8", "ignore")
        yield Place(path=document.path, language=document.language, before=before)
