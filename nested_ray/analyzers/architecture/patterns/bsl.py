"""Patterns of 1C: how modules of a configuration work together, by name, shape and metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nested_ray.analyzers.architecture.patterns.base import PatternMatch
from nested_ray.analyzers.architecture.structure import Structure
from nested_ray.analyzers.findings import Location
from nested_ray.languages.base import Definition
from nested_ray.repository.index import IndexedRepository
from nested_ray.repository.metadata import REUSE
from nested_ray.repository.metadata_paths import ModulePlace, module_place

_OVERRIDABLE = ("переопределяемый", "overridable")
_CACHED = ("повтисп", "cached", "reuse")
_CLIENT = ("клиент", "client")
_OTHER_SIDES = (
    "вызовсервера",
    "servercall",
    "клиентсервер",
    "clientserver",
    "сервер",
    "server",
    "",
)
_EVENT_PARAMETERS = (
    ("источник", "отказ"),
    ("source", "cancel"),
    ("источник", "стандартнаяобработка"),
)
_JOB_START = re.compile(
    r"\b(?:ПриНачалеВыполненияРегламентногоЗадания|OnStartExecuteScheduledJob|OnScheduledJobStart)\s*\(",
    re.IGNORECASE,
)
_PRINT = frozenset({"печать", "print"})
_PRINT_COMMANDS = frozenset({"добавитькомандыпечати", "addprintcommands"})
_REPORT = frozenset(
    {
        "настроитьвариантыотчета", "customizereportoptions", "определитьнастройкиформы",
        "defineformsettings", "прикомпоновкерезультата", "oncomposeresult",
    }
)  # fmt: skip
_COMMENT_LINE = re.compile(r"^\s*(?://[^\n]*)?$")


@dataclass(frozen=True)
class _Place:
    """One module of a configuration."""

    path: str
    place: ModulePlace
    definitions: tuple[Definition, ...]

    @property
    def unit(self) -> str:
        if self.place.kind == "CommonModule":
            return self.place.name
        return f"{self.place.kind}.{self.place.name}"

    @property
    def exported(self) -> list[Definition]:
        return [d for d in self.definitions if d.exported and d.kind != "variable"]


def bsl_patterns(structure: Structure) -> Iterator[PatternMatch]:
    """Patterns of every configuration in the repository."""
    places = _places(structure)
    common = {
        (each.place.root, each.place.name.casefold()): each
        for each in places
        if each.place.kind == "CommonModule"
    }
    yield from _event_subscriptions(structure, common)
    yield from _scheduled_jobs(structure, common)
    for each in places:
        if each.place.role == "manager" and each.exported:
            yield _module_manager(structure, each)
        if each.place.role == "manager":
            yield from _print_forms(structure, each)
        if each.place.kind == "Report" and each.place.role in ("manager", "object"):
            yield from _report_providers(structure, each)
    for each in common.values():
        yield from _overridable(structure, each)
        yield from _cached(structure, each)
        yield from _client_server(structure, each, common)


def _places(structure: Structure) -> list[_Place]:
    found: list[_Place] = []
    for path, file in structure.repository.files.items():
        place = module_place(path) if file.language == "bsl" else None
        if place is not None:
            found.append(_Place(path, place, tuple(structure.definitions(path))))
    return found


def _at(structure: Structure, path: str, offset: int, message: str) -> Location:
    return Location(path, structure.line_span(path, offset), message)


def _heading(structure: Structure, each: _Place, definition: Definition, message: str) -> Location:
    """The line with the definition's name, which may follow annotations."""
    text = structure.text(each.path)
    name = text.find(definition.name, definition.span.start, definition.span.end)
    return _at(structure, each.path, max(name, definition.span.start), message)


def _event_subscriptions(
    structure: Structure, common: Mapping[tuple[str, str], _Place]
) -> Iterator[PatternMatch]:
    """Handlers that metadata name; without metadata, procedures that can be nothing else."""
    handlers: dict[tuple[str, str], str] = {}
    if isinstance(structure.repository, IndexedRepository):
        for each in structure.repository.metadata.subscriptions:
            key = (each.module.casefold(), each.method.casefold())
            handlers[key] = f"handles {each.event} of {', '.join(each.sources[:3])}"
    for each in common.values():
        for definition in each.exported:
            key = (each.place.name.casefold(), definition.name.casefold())
            why = handlers.get(key) if handlers else _event_shape(definition)
            if why:
                shown = _heading(structure, each, definition, why)
                yield PatternMatch("event-subscription", f"{each.unit}.{definition.name}", (shown,))


def _event_shape(definition: Definition) -> str:
    parameters = definition.signature.partition("(")[2].casefold()
    first = [part.split("=")[0].split()[-1:] for part in parameters.partition(")")[0].split(",")]
    names = tuple(part[0] for part in first if part)
    is_handler = (
        definition.kind == "procedure"
        and names[:1]
        and any(names[0] == source and other in names[1:] for source, other in _EVENT_PARAMETERS)
    )
    return "takes the source of an event and whether to refuse" if is_handler else ""


def _scheduled_jobs(
    structure: Structure, common: Mapping[tuple[str, str], _Place]
) -> Iterator[PatternMatch]:
    """Methods that metadata name, and those that begin as the library wants it of jobs."""
    jobs: dict[tuple[str, str], str] = {}
    if isinstance(structure.repository, IndexedRepository):
        for each in structure.repository.metadata.jobs:
            jobs[each.module.casefold(), each.method.casefold()] = f"runs as job {each.name}"
    for each in common.values():
        text = structure.text(each.path)
        starts = [match.start() for match in _JOB_START.finditer(text)]
        for definition in each.exported:
            why = jobs.get((each.place.name.casefold(), definition.name.casefold()), "")
            if not why and any(definition.span.start <= at < definition.span.end for at in starts):
                why = "begins as a job of the library"
            if why:
                shown = _heading(structure, each, definition, why)
                yield PatternMatch("scheduled-job", f"{each.unit}.{definition.name}", (shown,))


def _module_manager(structure: Structure, each: _Place) -> PatternMatch:
    shown = [
        _heading(structure, each, d, f"{d.name} is called on the manager")
        for d in each.exported[:3]
    ]
    return PatternMatch("module-manager", each.unit, tuple(shown))


def _print_forms(structure: Structure, each: _Place) -> Iterator[PatternMatch]:
    shown = [
        _heading(structure, each, definition, "offers a printed form")
        for definition in each.exported
        if definition.name.casefold() in _PRINT_COMMANDS
        or (definition.name.casefold() in _PRINT and definition.signature.count(",") >= 3)
    ]
    if shown:
        yield PatternMatch("print-form", each.unit, tuple(shown))


def _report_providers(structure: Structure, each: _Place) -> Iterator[PatternMatch]:
    shown = [
        _heading(structure, each, definition, "makes the report")
        for definition in each.definitions
        if definition.name.casefold() in _REPORT
    ]
    if shown:
        yield PatternMatch("report-provider", each.unit, tuple(shown))


def _overridable(structure: Structure, each: _Place) -> Iterator[PatternMatch]:
    """Named so, and made of procedures for others to fill."""
    if each.place.name.casefold().endswith(_OVERRIDABLE) and each.exported:
        hooks = [
            d for d in each.exported if _is_hook(structure.text(each.path), d)
        ] or each.exported
        users = [edge for edge in structure.files.sources[each.path]][:2]
        shown = [
            _heading(structure, each, hook, f"{hook.name} is for others to fill")
            for hook in hooks[:3]
        ]
        shown += [
            _at(structure, user, structure.files.edges[user, each.path].witness.offset, "calls it")
            for user in users
        ]
        yield PatternMatch("overridable-module", each.unit, tuple(shown))


def _is_hook(text: str, definition: Definition) -> bool:
    """A body of nothing but comments."""
    body = text[definition.span.start : definition.span.end].split("\n")[1:-1]
    return all(_COMMENT_LINE.match(line) for line in body)


def _cached(structure: Structure, each: _Place) -> Iterator[PatternMatch]:
    """Functions whose values the platform remembers."""
    is_named = each.place.name.casefold().endswith(_CACHED)
    if (is_named or _is_reused(structure, each)) and each.exported:
        why = "named for reuse of values" if is_named else "values are reused by its properties"
        shown = [_heading(structure, each, d, why) for d in each.exported[:3]]
        yield PatternMatch("cached-module", each.unit, tuple(shown))


def _is_reused(structure: Structure, each: _Place) -> bool:
    if not isinstance(structure.repository, IndexedRepository):
        return False
    found = structure.repository.metadata.object("CommonModule", each.place.name)
    return found is not None and REUSE in found.flags


def _client_server(
    structure: Structure, each: _Place, common: Mapping[tuple[str, str], _Place]
) -> Iterator[PatternMatch]:
    """A client module and the other sides of the same subject, with the calls between them."""
    name = each.place.name.casefold()
    ending = next((ending for ending in _CLIENT if name.endswith(ending)), None)
    if ending is None:
        return
    subject = name.removesuffix(ending)
    sides = [
        other for side in _OTHER_SIDES if (other := common.get((each.place.root, subject + side)))
    ]
    calls = [
        _at(structure, each.path, edge.witness.offset, f"calls {other.place.name}")
        for other in sides
        if (edge := structure.files.edges.get((each.path, other.path)))
    ]
    if calls:
        shown = _at(
            structure, each.path, 0, f"client side of {len(sides) + 1} modules of one subject"
        )
        yield PatternMatch("client-server", each.unit, (shown, *calls))
