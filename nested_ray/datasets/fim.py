"""Fill-in-the-middle: a window rearranged so that a model learns to use what stands behind.

    <|fim_prefix|> prefix <|fim_suffix|> suffix <|fim_middle|> middle <|endoftext|>
Source: arXiv:2207.14255 (PSM order).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from nested_ray.datasets.tokenizer import NestTokenizer

NUM_MARKERS = 4
MIN_TOKENS = 8
"""Shorter windows stay as they are."""


def rearrange_window(
    window_ids: Sequence[int], tokenizer: NestTokenizer, *, seed: int, share: float
) -> list[int]:
    """The window, rearranged for about `share` of all windows; never longer than `len(window_ids)`.

    A pure function of ids, seed and share. To make room for the markers the window loses its last
    tokens. Half of the middles end where their line ends, as an editor's completions do.
    """
    ids = np.asarray(window_ids, dtype="<u2")
    digest = hashlib.sha256(f"fim\n{seed}\n".encode() + ids.tobytes()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
    if len(ids) < MIN_TOKENS or generator.random() >= share:
        return list(window_ids)
    text_ids = [token for token in window_ids if token != tokenizer.end_of_text]
    body = text_ids[: len(window_ids) - NUM_MARKERS]
    start, end = sorted(generator.integers(0, len(body) + 1, size=2).tolist())
    if generator.random() < 0.5:
        end = end_of_line(body, start, tokenizer)
    return fim_ids(tokenizer, body[:start], body[end:], body[start:end])


def fim_ids(
    tokenizer: NestTokenizer, prefix: Sequence[int], suffix: Sequence[int], middle: Sequence[int]
) -> list[int]:
    return [*fim_prompt(tokenizer, prefix, suffix), *middle, tokenizer.end_of_text]


def fim_prompt(tokenizer: NestTokenizer, prefix: Sequence[int], suffix: Sequence[int]) -> list[int]:
    """Window ids that ask for what belongs between prefix and suffix."""
    return [
        tokenizer.fim_prefix,
        *prefix,
        tokenizer.fim_suffix,
        *suffix,
        tokenizer.fim_middle,
    ]


def end_of_line(ids: Sequence[int], start: int, tokenizer: NestTokenizer) -> int:
    """Where the line of token `start` ends; a line break at `start` itself belongs to the middle."""
    for position in range(start + 1, len(ids)):
        if ids[position] in tokenizer.line_break_ids:
            return position
    return len(ids)
