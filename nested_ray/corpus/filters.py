"""Bytes → text, or the reason why a file is refused."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pathspec

from nested_ray.config.corpus import FilterConfig
from nested_ray.corpus.generated import generated_because
from nested_ray.errors import ConfigError


@dataclass(frozen=True)
class Refusal:
    """Why a file is left out."""

    reason: str
    """One of documents.REASONS."""
    detail: str = ""


# PEP 263: a comment in one of the first two lines.
CODING_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
BLANK_OR_COMMENT = re.compile(rb"^[ \t\f]*(?:#.*)?\r?$")
EDITOR_SUFFIX = re.compile(r"-(unix|dos|mac)$")
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SINGLE_BYTE = {"bsl": "cp1251"}
"""What files of a language are encoded in when they are not UTF-8."""
CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b"))
MAX_CONTROL_SHARE = 0.01
CYRILLIC_WORD = re.compile("[Ѐ-ӿ]{2,}")
MIN_CYRILLIC_SHARE = 0.6


def decode(data: bytes, language: str) -> str | Refusal:
    """Text with `\\n` line ends and no BOM; never raises, whatever the bytes.

    The encoding is, in this order: the BOM's, the one a Python file declares (PEP 263), UTF-8, and
    for BSL Windows-1251 when the result reads like Russian.
    """
    if data.startswith(LFS_POINTER):
        return Refusal(
            "unreadable", "a Git LFS pointer; run `git lfs pull` and read it as a folder"
        )
    for bom, encoding in BOMS:
        if data.startswith(bom):
            return _decoded(data.removeprefix(bom), encoding)
    if looks_binary(data):
        return Refusal("binary", "NUL or control bytes")
    declared = declared_encoding(data) if language == "python" else None
    if declared:
        return _decoded(data, declared)
    text = _decoded(data, "utf-8")
    if isinstance(text, Refusal) and language in SINGLE_BYTE:
        return _russian(_decoded(data, SINGLE_BYTE[language])) or text
    return text


def looks_binary(data: bytes) -> bool:
    """A NUL, or more control bytes than text has."""
    if b"\0" in data:
        return True
    num_control = len(data) - len(data.translate(None, CONTROL_BYTES))
    return num_control > MAX_CONTROL_SHARE * len(data)


def declared_encoding(data: bytes) -> str | None:
    """The encoding of a `# -*- coding: latin-1 -*-` line."""
    first, _, rest = data.partition(b"\n")
    second = rest.partition(b"\n")[0]
    candidates = [first, second] if BLANK_OR_COMMENT.match(first) else [first]
    for line in candidates:
        if found := CODING_COOKIE.match(line):
            return EDITOR_SUFFIX.sub("", found.group(1).decode("ascii", "replace"))
    return None


def _decoded(data: bytes, encoding: str) -> str | Refusal:
    try:
        text = data.decode(encoding)
        text.encode("utf-8")  # exotic codecs can give lone surrogates
    except LookupError:
        return Refusal("encoding", f"declares the unknown encoding {encoding!r}")
    except ValueError:
        return Refusal("encoding", f"not valid {encoding}")
    if "\0" in text:
        return Refusal("binary", "NUL characters")
    return unix_lines(text)


def unix_lines(text: str) -> str:
    """The text with every line ended by a line feed alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _russian(text: str | Refusal) -> str | None:
    """The text, when most of what lies outside ASCII stands in Cyrillic words.

    Accents of another encoding become single Cyrillic letters among Latin ones.
    """
    if isinstance(text, Refusal):
        return None
    num_foreign = sum(1 for character in text if character > "\x7f")
    num_in_words = sum(map(len, CYRILLIC_WORD.findall(text)))
    return text if num_in_words >= MIN_CYRILLIC_SHARE * num_foreign else None


def judge(text: str, config: FilterConfig) -> Refusal | None:
    """Why a decoded text is refused on its own account; None to accept it."""
    from nested_ray.corpus.credentials import find_credential  # slow to import; most only decode

    if not text.strip():
        return Refusal("empty")
    if because := generated_because(text, config.max_line_chars):
        return Refusal("generated", because)
    if config.secrets == "reject" and (found := find_credential(text)):
        return Refusal("secret", found)
    return None


class PathFilter:
    """filters.include and filters.exclude, in gitignore's own syntax."""

    def __init__(self, config: FilterConfig) -> None:
        self._include = _patterns(config.include, "filters.include") if config.include else None
        self._exclude = _patterns(config.exclude, "filters.exclude")

    def refuse(self, path: str) -> Refusal | None:
        """The refusal of a path that the patterns leave out."""
        if self._include is not None and not self._include.match_file(path):
            return Refusal("excluded", "not in filters.include")
        if self._exclude.match_file(path):
            return Refusal("excluded", "in filters.exclude")
        return None


def _patterns(patterns: Sequence[str], setting: str) -> pathspec.GitIgnoreSpec:
    try:
        return pathspec.GitIgnoreSpec.from_lines(patterns)
    except ValueError as exc:
        raise ConfigError(f"{setting}: {exc}; patterns are written as in .gitignore") from exc
