"""DefinitionIndex: what the files of a corpus define, found again by the names other files use."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from heapq import nlargest
from itertools import islice
from pathlib import Path

from nested_ray.errors import ConfigError
from nested_ray.languages.base import Definition
from nested_ray.repository.base import SourceFile
from nested_ray.repository.ranking import UseGraph, Uses

FORMAT = 2
FORMAT_WITHOUT_USES = 1
MAX_SIGNATURE_CHARS = 200
MAX_DOC_CHARS = 120
MAX_BODY_CHARS = 200

CASE_INSENSITIVE = frozenset({"bsl"})


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

    def __init__(
        self,
        entries: Iterable[Entry] = (),
        uses: Iterable[Uses] = (),
        users: Iterable[str] = (),
    ) -> None:
        """`uses` numbers the entries, and behind them the files `users`, whose own code uses some."""
        self.entries = tuple(entries)
        self.uses = tuple(uses)
        self.users = tuple(users)
        self._numbers = {id(entry): number for number, entry in enumerate(self.entries)}
        self._graph = UseGraph([*(entry.path for entry in self.entries), *self.users], self.uses)
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
        if not found:
            return None
        # Two are enough to know: names such as `get` have hundreds.
        others = list(islice((entry for entry in found if entry.path != asking), 2))
        return others[0] if len(others) == 1 else None

    def related(
        self, seeds: Sequence[tuple[Entry, float]], *, asking: str, at_most: int
    ) -> list[Entry]:
        """Entries of other files by personalised PageRank, the highest first; `seeds` with their weights."""
        weights: dict[int, float] = {}
        for entry, weight in seeds:
            number = self._numbers[id(entry)]
            weights[number] = weights.get(number, 0.0) + weight
        scores = self._graph.rank(weights, asking=asking)
        best = nlargest(
            at_most, ((score, -node) for node, score in scores.items() if node < len(self.entries))
        )
        return [self.entries[-node] for _, node in best]

    def save(self, path: str | Path) -> None:
        """Write compact JSON, aside and then renamed; the same entries give the same bytes."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {
            "format": FORMAT,
            "entries": [astuple(entry) for entry in self.entries],
            "users": self.users,
            "uses": self.uses,
        }
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
            if values["format"] not in (FORMAT, FORMAT_WITHOUT_USES):
                raise ValueError(f"format {values['format']!r}, this version reads {FORMAT}")
            return cls(
                [Entry(*fields) for fields in values["entries"]],
                [Uses(*fields) for fields in values.get("uses", ())],
                values.get("users", ()),
            )
        except OSError as exc:
            raise ConfigError(f"cannot read definitions {path}: {exc.strerror}") from exc
        except (ValueError, TypeError, KeyError, IndexError) as exc:
            raise ConfigError(
                f"{path} is not an index of definitions: {exc}; train the nest again"
            ) from exc


def fold(name: str, language: str) -> str:
    return name.casefold() if language in CASE_INSENSITIVE else name


def entries_of(document: SourceFile, definitions: Iterable[Definition]) -> list[tuple[int, Entry]]:
    """Definitions that other files can reach, of the module itself and of its classes, with their index."""
    definitions = tuple(definitions)
    has_classes = document.language != "bsl"  # where a parent is a region, which names nothing
    classes = {definition.name for definition in definitions if definition.kind == "class"}
    return [
        (
            index,
            Entry(
                path=document.path,
                language=document.language,
                name=definition.name,
                parent=(definition.parent or "") if has_classes else "",
                kind=definition.kind,
                signature=definition.signature[:MAX_SIGNATURE_CHARS],
                doc=definition.doc[:MAX_DOC_CHARS],
                body=body_snippet(document.text, definition),
            ),
        )
        for index, definition in enumerate(definitions)
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
