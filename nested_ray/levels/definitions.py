"""DefinitionIndex: what the files of a corpus define, found again by the names other files use."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from nested_ray.errors import ConfigError
from nested_ray.languages.base import Definition, Language

FORMAT = 1
MAX_SIGNATURE_CHARS = 200
MAX_DOC_CHARS = 120
MAX_BODY_CHARS = 200

CASE_INSENSITIVE = frozenset({"bsl"})


class SourceText(Protocol):
    """What the index needs of a document."""

    @property
    def path(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True)
class Entry:
    """One definition that other files can use."""

    path: str
    language: str
    name: str
    parent: str
    """Class it belongs to; empty at the top of a module."""
    kind: str
    signature: str
    doc: str
    body: str
    """The first lines behind heading and documentation."""


class DefinitionIndex:
    """Entries by module and name; never answers with a definition of the asking file."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = tuple(entries)
        self._by_name: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        self._by_member: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
        modules: set[tuple[str, str]] = set()
        for entry in self.entries:
            name = fold(entry.name, entry.language)
            self._by_name[entry.language, name].append(entry)
            self._by_member[entry.path, entry.parent, name].append(entry)
            modules.add((entry.path, entry.language))
        self._paths_by_module: dict[tuple[str, str], list[str]] = defaultdict(list)
        # Shortest path first: `json` means `json/__init__.py` before `vendor/json.py`.
        for path, language in sorted(modules, key=lambda module: (module[0].count("/"), module[0])):
            for module in module_names(path, language):
                self._paths_by_module[language, fold(module, language)].append(path)

    @classmethod
    def build(
        cls, documents: Iterable[SourceText], find_language: Callable[[str], Language | None]
    ) -> DefinitionIndex:
        """Index the exported definitions of the documents; order follows the documents."""
        entries: list[Entry] = []
        for document in documents:
            if language := find_language(document.language):
                entries.extend(entries_of(document, language))
        return cls(entries)

    def in_module(
        self, module: str, name: str, *, language: str, asking: str, parent: str = ""
    ) -> Entry | None:
        """`name` (of class `parent`) in a module known by the last parts of its dotted name."""
        folded = fold(name, language)
        for path in self._paths_by_module.get((language, fold(module, language)), ()):
            found = self._by_member.get((path, parent, folded))
            if found and path != asking:
                return found[0]
        return None

    def unique(self, name: str, *, language: str, asking: str) -> Entry | None:
        """The only definition of that name outside the asking file; None when there are several."""
        found = self._by_name.get((language, fold(name, language)), ())
        # Two are enough to know: names such as `get` have hundreds.
        others = list(islice((entry for entry in found if entry.path != asking), 2))
        return others[0] if len(others) == 1 else None

    def save(self, path: str | Path) -> None:
        """Write compact JSON, aside and then renamed; the same entries give the same bytes."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {"format": FORMAT, "entries": [astuple(entry) for entry in self.entries]}
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        with aside.open("w", encoding="utf-8") as file:
            json.dump(values, file, ensure_ascii=False, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> DefinitionIndex:
        """Read what `save` wrote; raises ConfigError naming the file."""
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            if values["format"] != FORMAT:
                raise ValueError(f"format {values['format']!r}, this version reads {FORMAT}")
            return cls(Entry(*fields) for fields in values["entries"])
        except OSError as exc:
            raise ConfigError(f"cannot read definitions {path}: {exc.strerror}") from exc
        except (ValueError, TypeError, KeyError) as exc:
            raise ConfigError(
                f"{path} is not an index of definitions: {exc}; train the nest again"
            ) from exc


def fold(name: str, language: str) -> str:
    return name.casefold() if language in CASE_INSENSITIVE else name


def entries_of(document: SourceText, language: Language) -> list[Entry]:
    """Definitions that other files can reach: of the module itself and of its classes."""
    outline = language.outline(document.text)
    has_classes = document.language != "bsl"  # where a parent is a region, which names nothing
    classes = {definition.name for definition in outline.definitions if definition.kind == "class"}
    return [
        Entry(
            path=document.path,
            language=document.language,
            name=definition.name,
            parent=(definition.parent or "") if has_classes else "",
            kind=definition.kind,
            signature=definition.signature[:MAX_SIGNATURE_CHARS],
            doc=definition.doc[:MAX_DOC_CHARS],
            body=body_snippet(document.text, definition),
        )
        for definition in outline.definitions
        if definition.exported
        and (not has_classes or definition.parent is None or definition.parent in classes)
    ]


def body_snippet(text: str, definition: Definition) -> str:
    """The first lines of the body, whole, without heading, documentation and common indentation."""
    end = min(definition.span.end, definition.span.start + 4_000)
    lines = without_doc(without_heading(text[definition.span.start : end].split("\n")))
    picked: list[str] = []
    indent = ""
    for line in lines:
        if not line.strip():
            continue
        if not picked:
            indent = line[: len(line) - len(line.lstrip())]
        line = line.removeprefix(indent).rstrip()
        if sum(map(len, picked)) + len(picked) + len(line) > MAX_BODY_CHARS:
            break
        picked.append(line)
    return "\n".join(picked)


def without_heading(lines: list[str]) -> list[str]:
    """Lines behind the one in which the heading's brackets are closed."""
    depth, inside = 0, False
    for number, line in enumerate(lines):
        if line.lstrip().startswith(("@", "&")) and not inside:
            continue
        inside = True
        depth += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        if depth <= 0:
            return lines[number + 1 :]
    return []


def without_doc(lines: list[str]) -> list[str]:
    """Lines behind a leading docstring."""
    first = lines[0].strip() if lines else ""
    for quotes in ('"""', "'''"):
        opened = first.lstrip("rRuU").startswith(quotes)
        if opened and first.count(quotes) < 2:
            closing = (n for n, line in enumerate(lines[1:], 1) if quotes in line)
            return lines[next(closing, len(lines)) + 1 :]
        if opened:
            return lines[1:]
    is_string = len(first) > 1 and first[-1] in "\"'" and first.lstrip("rRuU")[:1] == first[-1]
    return lines[1:] if is_string else lines


FILE_STEMS = frozenset(
    {
        "module",
        "managermodule",
        "objectmodule",
        "recordsetmodule",
        "valuemanagermodule",
        "commandmodule",
        "модуль",
        "модульменеджера",
        "модульобъекта",
    }
)
"""BSL files named for what they are; the module is named by a folder above them."""


def module_names(path: str, language: str) -> list[str]:
    """Names a module answers to: for `a/b/c.py` these are `c`, `b.c` and `a.b.c`."""
    parts = path.rsplit(".", 1)[0].split("/")
    if language == "bsl":
        return [bsl_module_name(parts)]
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return [".".join(parts[start:]) for start in reversed(range(len(parts)))]


def bsl_module_name(parts: list[str]) -> str:
    """`CommonModules/Имя/Ext/Module` → `Имя`; `src/Модули/Имя` → `Имя`."""
    names = [part for part in parts if part.casefold() not in FILE_STEMS | {"ext"}]
    return (names or parts)[-1]
