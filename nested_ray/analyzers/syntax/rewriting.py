"""Edits of a decoded text carried over to the bytes it was read from."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from nested_ray.analyzers.findings import Fix
from nested_ray.corpus.filters import BOMS, SINGLE_BYTE, declared_encoding, decode, unix_lines


def rewrite(data: bytes, language: str, fix: Fix) -> bytes | None:
    """The file with the fix applied, in its own encoding, byte order mark and line ends.

    None when that cannot be done exactly: the bytes have no known encoding, or it lacks a character.
    """
    text = decode(data, language)
    if not isinstance(text, str):
        return None
    for mark, encoding in _encodings(data, language):
        try:
            raw = data[len(mark) :].decode(encoding)
            written = mark + _apply(raw, fix).encode(encoding)
        except (LookupError, ValueError):
            continue
        if unix_lines(raw) == text and decode(written, language) == fix.apply(text):
            return written
    return None


def _encodings(data: bytes, language: str) -> Iterator[tuple[bytes, str]]:
    for mark, encoding in BOMS:
        if data.startswith(mark):
            yield mark, encoding
    declared = declared_encoding(data) if language == "python" else None
    for encoding in (declared, "utf-8", SINGLE_BYTE.get(language)):
        if encoding:
            yield b"", encoding


def _apply(raw: str, fix: Fix) -> str:
    """The edits, whose offsets count every line end as one character."""
    pairs = [match.start() for match in re.finditer(r"\r\n", raw)]
    # Where each pair stands in the text that counts it as one.
    ends = [start - number for number, start in enumerate(pairs)]
    line_end = "\r\n" if len(pairs) * 2 > raw.count("\n") else "\n"

    def to_raw(offset: int) -> int:
        return offset + bisect_left(ends, offset)

    for edit in reversed(fix.edits):
        text = edit.text.replace("\n", line_end)
        raw = raw[: to_raw(edit.span.start)] + text + raw[to_raw(edit.span.end) :]
    return raw
