"""Files named on a command line → bytes, language and text, or the reason why not."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from nested_ray.corpus.filters import decode
from nested_ray.languages import LANGUAGES, Language, get_language, guess_language, language_of

STDIN = "-"


@dataclass(frozen=True)
class CodeFile:
    """One file as read."""

    path: str
    """As it is shown: the path that was asked for, or below it; `-` for stdin."""
    data: bytes
    language: Language
    text: str
    refusal: str = ""
    """Why there is no text."""


def check_language(name: str | None) -> Language | None:
    """The language of that name; a usage error names the ones there are."""
    if name is None:
        return None
    try:
        return get_language(name)
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc


def list_paths(named: Sequence[str], language: Language | None) -> Iterator[str]:
    """The files named, and those of a known language in the folders named.

    Raises typer.BadParameter for a path that is not there.
    """
    from nested_ray.repository.scan import listing

    for name in named:
        path = Path(name)
        if name == STDIN or path.is_file():
            yield name
        elif path.is_dir():
            with listing(path, None) as files:
                found = [file.path for file in files]
            for relative in found:
                is_known = (
                    language_of(relative) if language is None else _has_ending(relative, language)
                )
                if is_known:
                    yield str(path / relative)
        else:
            raise typer.BadParameter(f"{name!r} is neither a file nor a folder here")


def _has_ending(path: str, language: Language) -> bool:
    return Path(path).suffix.lower() in language.extensions


def read_code(path: str, language: Language | None) -> CodeFile:
    """Read and decode one file; what cannot be read or decoded has a refusal instead of a text.

    The language is the one given, else the one of the extension or the first line; a text from stdin
    that tells neither is guessed at. Raises typer.BadParameter for a file of no known language.
    """
    data, refusal = _read(path)
    first_line = data.partition(b"\n")[0].decode("utf-8", "replace")
    found = language or language_of(path, first_line)
    if found is None and path == STDIN:
        found = guess_language(data.decode("utf-8", "replace"))
    if found is None:
        endings = ", ".join(ending for each in LANGUAGES for ending in each.extensions)
        names = ", ".join(each.name for each in LANGUAGES)
        raise typer.BadParameter(
            f"{path}: the extension says no language ({endings}); name it with --language ({names})"
        )
    text = decode(data, found.name)
    if not isinstance(text, str):
        reason = f"{text.reason}: {text.detail}" if text.detail else text.reason
        refusal = refusal or reason
        text = ""
    return CodeFile(path, data, found, text, refusal)


def _read(path: str) -> tuple[bytes, str]:
    if path == STDIN:
        return sys.stdin.buffer.read(), ""
    try:
        return Path(path).read_bytes(), ""
    except OSError as exc:
        return b"", exc.strerror or str(exc)


@dataclass(frozen=True)
class Lines:
    """Line and column of a place in a text, both counted from one."""

    text: str

    def at(self, offset: int) -> tuple[int, int]:
        start = self.text.rfind("\n", 0, offset) + 1
        return self.text.count("\n", 0, offset) + 1, offset - start + 1
