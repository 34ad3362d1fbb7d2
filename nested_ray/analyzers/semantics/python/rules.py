"""Python files of a repository → findings of every rule."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

from nested_ray.analyzers.findings import Finding
from nested_ray.analyzers.semantics import rules
from nested_ray.analyzers.semantics.python.arity import Surroundings, wrong_calls
from nested_ray.analyzers.semantics.python.flow import flow_findings
from nested_ray.analyzers.semantics.python.logic import contradictions
from nested_ray.analyzers.semantics.python.module import PythonModule
from nested_ray.analyzers.semantics.python.ruff import RuffFailed, Verdict, verdicts_of
from nested_ray.analyzers.semantics.python.verdicts import CODES, findings_of
from nested_ray.languages.base import Span
from nested_ray.repository.base import Repository

_MAX_CHARS = 5_000_000
"""A longer file is data, not code."""
_KEPT_MODULES = 64


def python_findings(repository: Repository, paths: Collection[str]) -> Iterator[Finding]:
    """Of every rule, for the Python files named; a file that does not parse gets none."""
    modules = _Modules(repository)
    texts = {path: repository.files[path].text for path in paths}
    verdicts = dict(verdicts_of({p: t for p, t in texts.items() if len(t) <= _MAX_CHARS}, CODES))
    yield from _not_checked(verdicts)
    for path in paths:
        module = modules(path)
        if module is None:
            continue
        around = Surroundings(modules.links.get(path, {}), modules)
        yield from wrong_calls(path, module, around)
        yield from flow_findings(path, module)
        yield from contradictions(path, module)
        found = verdicts.get(path, [])
        if isinstance(found, list) and all(each.code != "invalid-syntax" for each in found):
            yield from findings_of(path, module, found)


def _not_checked(verdicts: Mapping[str, list[Verdict] | RuffFailed]) -> Iterator[Finding]:
    """One note for every failure, however many files it costs."""
    failed: dict[RuffFailed, list[str]] = {}
    for path, failure in verdicts.items():
        if isinstance(failure, RuffFailed):
            failed.setdefault(failure, []).append(path)
    rule = rules.NOT_CHECKED
    for failure, paths in failed.items():
        others = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        text = f"Names and formats were not checked in this file{others}: {failure}"
        yield Finding(rule.id, paths[0], Span(0, 0), text, rule.severity, 1.0)


class _Modules:
    """Python files as they are asked for: path → module, None when it does not parse."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._kept: OrderedDict[str, PythonModule | None] = OrderedDict()

    def __call__(self, path: str) -> PythonModule | None:
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        module = self._kept[path] = self._read(path)
        if len(self._kept) > _KEPT_MODULES:
            self._kept.popitem(last=False)
        return module

    def _read(self, path: str) -> PythonModule | None:
        file = self._repository.files.get(path)
        if file is None or file.language != "python" or len(file.text) > _MAX_CHARS:
            return None
        try:
            return PythonModule(file.text)
        except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError):
            return None

    @cached_property
    def links(self) -> dict[str, dict[int, tuple[str, int]]]:
        """Path → offset of a called name → path and offset of the definition it means."""
        found: dict[str, dict[int, tuple[str, int]]] = {}
        calls = (link for link in self._repository.links if link.kind == "call")
        # By target: a repository keeps only so many outlines open.
        for link in sorted(calls, key=lambda link: link.target):
            if link.target_definition is None:
                continue
            definition = self._repository.outline(link.target).definitions[link.target_definition]
            if definition.parent is None and definition.kind in ("function", "class"):
                place = (link.target, definition.span.start)
                found.setdefault(link.source, {})[link.offset] = place
        return found
