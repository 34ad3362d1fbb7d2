"""Accepted completions, one JSON object a line → texts to learn from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from nested_ray.errors import CorpusError, SourceNotFound
from nested_ray.languages import LANGUAGES, get_language, language_of

TEXTS = ("prefix", "completion", "suffix")


def completion_texts(path: Path, context_chars: int) -> list[tuple[str, bytes]]:
    """(path, text) of every accepted completion, in order of path.

    The text is the completion between the whole lines of at most `context_chars` characters on
    each side. The path is the one of the line; of several lines with one path the later ones
    stand in `line-<number>/`.
    Raises SourceNotFound when there is no such file and CorpusError naming the first line that is not as it should be.
    """
    texts: dict[str, bytes] = {}
    for number, record in _records(path):
        name = _path_of(record, number, path)
        if name in texts:
            name = f"line-{number}/{name}"
        before = _last_lines(record["prefix"], context_chars)
        after = _first_lines(record.get("suffix", ""), context_chars)
        texts[name] = f"{before}{record['completion']}{after}".encode("utf-8", "replace")
    return sorted(texts.items())


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Accepted lines with their numbers, counted from 1."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise SourceNotFound(
            f"accepted completions {path} cannot be read: {exc}; give a UTF-8 file with one JSON object a line"
        ) from exc
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        record = _record(line, f"{path}, line {number}")
        if record.get("accepted", True):
            yield number, record


def _record(line: str, place: str) -> dict[str, Any]:
    try:
        values: Any = json.loads(line)
    except ValueError as exc:
        raise CorpusError(f"{place} is not JSON: {exc}") from exc
    if not isinstance(values, dict):
        raise CorpusError(f"{place} must be a JSON object, found {type(values).__name__}")
    record = cast("dict[str, Any]", values)
    for name in TEXTS:
        if not isinstance(record.get(name, "" if name == "suffix" else None), str):
            raise CorpusError(f"{place} needs a text {name!r}")
    return record


def _path_of(record: dict[str, Any], number: int, file: Path) -> str:
    """Its own path, or one made of its language: the ending says which language it is."""
    path = record.get("path")
    if isinstance(path, str) and language_of(path) is not None:
        return path.lstrip("/")
    try:
        language = get_language(str(record.get("language")))
    except ValueError as exc:
        names = ", ".join(language.name for language in LANGUAGES)
        raise CorpusError(
            f"{file}, line {number} needs a 'language' ({names}) or a 'path' that tells it"
        ) from exc
    return f"line-{number}/completion{language.extensions[0]}"


def _last_lines(text: str, max_chars: int) -> str:
    """The end of a text, from a line's beginning on where there is one."""
    if len(text) <= max_chars:
        return text
    tail = text[-max_chars:]
    if text[-max_chars - 1] == "\n" or "\n" not in tail:
        return tail
    return tail.partition("\n")[2]


def _first_lines(text: str, max_chars: int) -> str:
    """The beginning of a text, up to a line's end where there is one."""
    if len(text) <= max_chars:
        return text
    head = text[:max_chars]
    return head[: head.rfind("\n") + 1] or head
