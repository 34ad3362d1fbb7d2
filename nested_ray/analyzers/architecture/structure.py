"""Structure: the graphs of one repository that every architecture rule looks at, made once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from nested_ray.analyzers.architecture.graph import ModuleGraph, build_graph
from nested_ray.analyzers.architecture.metadata import definitions_of, subsystem_of
from nested_ray.analyzers.architecture.units import Layout, read_layout
from nested_ray.languages.base import Definition, Span
from nested_ray.repository.base import Link, Repository

_MAX_LINES_BACK = 200
"""Lines searched for the `if` around an import."""


@dataclass(frozen=True)
class Structure:
    """Files, units and packages of a repository with who depends on whom."""

    repository: Repository
    layout: Layout
    _spans: dict[str, tuple[list[int], list[int]]] = field(default_factory=dict, repr=False)
    _line_ends: dict[str, list[int]] = field(default_factory=dict, repr=False)

    @cached_property
    def links(self) -> list[Link]:
        """Links that exist when the code runs, between different units."""
        unit_of = self.layout.unit_of
        return [
            link
            for link in self.repository.links
            if unit_of[link.source] != unit_of[link.target]
            and not (link.kind == "import" and is_for_typing(self.text(link.source), link.offset))
        ]

    @cached_property
    def files(self) -> ModuleGraph:
        return build_graph(self.repository.files, self.links)

    @cached_property
    def units(self) -> ModuleGraph:
        return self.files.grouped(self.layout.unit_of)

    @cached_property
    def packages(self) -> ModuleGraph:
        return self.units.grouped(self.layout.package_of)

    @cached_property
    def loading(self) -> ModuleGraph:
        """Units that import others while they are imported themselves, which fails where it goes in circles."""
        now = [
            link
            for link in self.links
            if link.kind == "import"
            and not is_for_scripts(self.text(link.source), link.offset)
            and not self.is_deferred(link)
        ]
        return build_graph(self.repository.files, now).grouped(self.layout.unit_of)

    def is_deferred(self, link: Link) -> bool:
        """Whether the place runs only when a function is called."""
        starts, ends = self._function_spans(link.source)
        before = bisect_right(starts, link.offset)
        return before > 0 and link.offset < ends[before - 1]

    def _function_spans(self, path: str) -> tuple[list[int], list[int]]:
        """Where the outermost functions and methods of a file begin and end."""
        if path not in self._spans:
            starts, ends = [], []
            for span in sorted(
                (d.span for d in self.definitions(path) if d.kind in ("function", "method")),
                key=lambda span: span.start,
            ):
                if not ends or span.start >= ends[-1]:
                    starts.append(span.start)
                    ends.append(span.end)
            self._spans[path] = (starts, ends)
        return self._spans[path]

    def text(self, path: str) -> str:
        return self.repository.files[path].text

    def definitions(self, path: str) -> Sequence[Definition]:
        return definitions_of(self.repository, path)

    def line_span(self, path: str, offset: int) -> Span:
        """The line around an offset, without its indentation."""
        text = self.text(path)
        offset = min(offset, len(text))
        start = text.rfind("\n", 0, offset) + 1
        end = text.find("\n", offset)
        end = len(text) if end < 0 else end
        line = text[start:end]
        return Span(start + len(line) - len(line.lstrip()), start + len(line.rstrip()))

    def line_number(self, path: str, offset: int) -> int:
        """Counted from one."""
        if path not in self._line_ends:
            ends = self._line_ends[path] = []
            end = self.text(path).find("\n")
            while end >= 0:
                ends.append(end)
                end = self.text(path).find("\n", end + 1)
        return bisect_left(self._line_ends[path], offset) + 1

    def where(self, link: Link) -> str:
        """`path:line` of a link."""
        return f"{link.source}:{self.line_number(link.source, link.offset)}"

    def shown(self, name: str) -> str:
        """A unit or path as people write it: `json.decoder`, `Catalog.Валюты`."""
        files = self.layout.files_of.get(name)
        if files is not None and files[0] != name:
            return name.rpartition("/")[2]
        stem = name.removesuffix(".py").removesuffix(".pyi")
        return stem.removesuffix("/__init__").replace("/", ".") if stem != name else name

    def symbol(self, path: str, definition: int | None) -> str:
        """Qualified name of a definition; empty for the module."""
        if definition is None:
            return ""
        found = self.definitions(path)[definition]
        return f"{found.parent}.{found.name}" if found.parent else found.name


def read_structure(repository: Repository) -> Structure:
    return Structure(repository, read_layout(repository.files, subsystem_of(repository)))


def is_for_typing(text: str, offset: int) -> bool:
    """Whether an import stands under `if TYPE_CHECKING:`, which never runs."""
    return "TYPE_CHECKING" in condition_around(text, offset)


def is_for_scripts(text: str, offset: int) -> bool:
    """Whether an import stands under `if __name__ == "__main__":`, which does not run when imported."""
    return "__name__" in condition_around(text, offset)


def condition_around(text: str, offset: int) -> str:
    """The `if` line that the line at an offset is indented under; empty where there is none."""
    start = text.rfind("\n", 0, offset) + 1
    if offset <= start or not text[start:offset].isspace():
        return ""
    indent = offset - start
    for _ in range(_MAX_LINES_BACK):
        if start == 0:
            break
        end = start - 1
        start = text.rfind("\n", 0, end) + 1
        line = text[start:end]
        stripped = line.lstrip()
        if stripped and not stripped.startswith(("#", ")")) and len(line) - len(stripped) < indent:
            return stripped if stripped.startswith("if ") else ""
    return ""
