"""Bindings: what import statements make of names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from nested_ray.languages.base import Import

STAR = "*"
"""The name under which star imports are kept."""
MAX_STATEMENT_CHARS = 20_000


class Binding(NamedTuple):
    """What an import makes of a name: a module, or one name of a module."""

    module: str
    """Dotted; relative ones keep their leading dots."""
    name: str | None


def bindings_of(statement: Import, text: str) -> dict[str, Binding]:
    """Names one import statement binds; `text` is how it is written."""
    module, text = statement.module, text[:MAX_STATEMENT_CHARS]
    if text.startswith("from"):
        if not statement.names:
            return {STAR: Binding(module, None)}
        original = originals(text)
        return {name: Binding(module, original.get(name, name)) for name in statement.names}
    head = module.partition(".")[0]
    renamed = f" as {head}" in text and module != head and originals(text).get(head) is not None
    # `import a.b` binds `a`, `import a.b as c` binds c to the whole.
    return {
        name: Binding(head if name == head and not renamed else module, None)
        for name in statement.names
    }


def originals(text: str) -> dict[str, str]:
    """Name bound by `as` → what it is called in its module."""
    return {found[2]: found[1] for found in re.finditer(r"(\w+)\s+as\s+(\w+)", text)}


def absolute_module(module: str, path: str) -> str:
    """`.tasks` in `asyncio/events.py` → `asyncio.tasks`; empty parts above the root are dropped."""
    dots = len(module) - len(module.lstrip("."))
    if not dots:
        return module
    folders = path.split("/")[:-dots]
    return dotted(*folders, module[dots:])


def dotted(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def merge(found: Iterable[dict[str, Binding]]) -> dict[str, tuple[Binding, ...]]:
    """All bindings of each name, each once, in order."""
    merged: dict[str, dict[Binding, None]] = {}
    for bindings in found:
        for name, binding in bindings.items():
            merged.setdefault(name, {})[binding] = None
    return {name: tuple(each) for name, each in merged.items()}
