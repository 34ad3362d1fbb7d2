"""Parameters of the functions that a file calls in other files, by the repository's links."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from nested_ray.bugs.neighbours import Parameters
from nested_ray.bugs.reading import RECEIVERS, CodeReading
from nested_ray.repository.base import Link, Repository

_BRACKETED = re.compile(r"\((.*)\)", re.DOTALL)
_NAME = re.compile(r"[^\W\d]\w*")
_BY_VALUE = re.compile(r"(?:Знач|Val)\s+", re.IGNORECASE)


def callee_parameters(repository: Repository, path: str, code: CodeReading) -> Parameters:
    """Parameter names by the position of each call's opening bracket."""
    offsets = [token.span.start for token in code.tokens]
    found: dict[int, tuple[str, ...]] = {}
    for link in links_of(repository, path):
        if link.kind != "call" or link.target_definition is None:
            continue
        opening = opening_after(code, bisect_left(offsets, link.offset))
        definitions = repository.outline(link.target).definitions
        if opening is not None and link.target_definition < len(definitions):
            definition = definitions[link.target_definition]
            names = signature_parameters(definition.signature)
            found[opening] = tuple(code.language.fold(name) for name in names)
    return found


def links_of(repository: Repository, path: str) -> Iterator[Link]:
    """The links of one file; they are sorted by source."""
    links = repository.links
    first = bisect_left(links, path, key=lambda link: link.source)
    for index in range(first, len(links)):
        if links[index].source != path:
            return
        yield links[index]


def opening_after(code: CodeReading, position: int) -> int | None:
    """The bracket behind `module.name`, which the link may point to at either word."""
    for at in range(position, min(position + 6, len(code.words))):
        if code.words[at] == "(":
            return at
        if at > position and code.words[at] != "." and code.words[at - 1] != ".":
            return None
    return None


def signature_parameters(signature: str) -> list[str]:
    """Names of the parameters in a heading: `Функция Сумма(Знач А, Б = 1) Экспорт` → А, Б."""
    inside = _BRACKETED.search(signature)
    if inside is None:
        return []
    names = []
    for part in split_outside_brackets(inside[1]):
        match = _NAME.search(_BY_VALUE.sub("", part))
        if match and match[0] not in RECEIVERS and not part.strip().startswith("*"):
            names.append(match[0])
    return names


def split_outside_brackets(text: str) -> list[str]:
    """Parts between commas that stand in no bracket."""
    parts, depth, start = [], 0, 0
    for at, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]
