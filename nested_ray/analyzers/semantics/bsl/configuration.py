"""The modules of a configuration by the names that code calls them by."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cached_property

from nested_ray.analyzers.findings import Finding, Location
from nested_ray.analyzers.semantics import rules
from nested_ray.analyzers.semantics.bsl.calls import OutgoingCall, fits, wrong_arity
from nested_ray.analyzers.semantics.bsl.methods import Method
from nested_ray.analyzers.semantics.bsl.module import BslModule
from nested_ray.analyzers.semantics.bsl.reading import read_module
from nested_ray.analyzers.semantics.bsl.report import Reporter
from nested_ray.repository.base import Repository
from nested_ray.repository.metadata_paths import ModulePlace, module_place

_APPLICATION_MODULE = re.compile(
    r"(?i)(?:managedapplication|ordinaryapplication|externalconnection|session)module\.bsl$"
)

Methods = dict[str, list[Method]]


class Configuration:
    """Where modules lie, and what those that were read define."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._methods: dict[str, Methods | None] = {}
        self._paths: dict[tuple[str, ...], list[str]] = {}
        self._judged: dict[tuple[str, ...], dict[str, Methods]] = {}
        self.places: dict[str, ModulePlace] = {}
        for path, file in repository.files.items():
            place = module_place(path) if file.language == "bsl" else None
            if place is None:
                continue
            self.places[path] = place
            owner = _owner(place)
            if owner is not None:
                self._paths.setdefault(owner, []).append(path)

    @cached_property
    def common_modules(self) -> dict[str, str]:
        """Folded name → as written."""
        names = (place.name for place in self.places.values() if place.kind == "CommonModule")
        return {name.lower(): name for name in names}

    @cached_property
    def application_variables(self) -> frozenset[str] | None:
        """Folded names of variables that the application's modules export: plain names everywhere.

        None when there is no such module, so that the names are not known.
        """
        found: set[str] = set()
        paths = [p for p in self._repository.files if _APPLICATION_MODULE.search(p)]
        for path in paths:
            module = read_module(self._repository.files[path].text)
            found |= module.module_variables if module is not None else set()
        return frozenset(found) if paths else None

    def remember(self, path: str, module: BslModule | None) -> None:
        """Keep what a module defines, so that it need not be read again."""
        if path in self.places:
            self._methods[path] = _methods(module)

    def methods(self, path: str) -> Methods | None:
        """What a module defines by folded name; None when it cannot be told."""
        if path not in self._methods:
            self._methods[path] = _methods(read_module(self._repository.files[path].text))
        return self._methods[path]

    def broken_calls(
        self, report: Reporter, module: BslModule, calls: Collection[OutgoingCall]
    ) -> Iterator[Finding]:
        """Calls into other modules that find no method there, or one they do not fit."""
        proven = {call.owner[0] for call in calls if self._is_defined(call)}
        for call in calls:
            yield from self._check(report, module, call, proven)

    def _is_defined(self, call: OutgoingCall) -> bool:
        return any(call.name in methods for methods in self._candidates(call.owner).values())

    def is_broken(self, call: OutgoingCall) -> bool:
        """Whether no module of the owner's name takes the call."""
        found = self._candidates(call.owner)
        if not found:
            return False
        targets = [m for methods in found.values() for m in methods.get(call.name, ())]
        if len(call.owner) == 2:
            # Managers have methods of the platform too.
            return bool(targets) and all(not fits(m, call.num_arguments) for m in targets)
        return not any(m.is_exported and fits(m, call.num_arguments) for m in targets)

    def _candidates(self, owner: tuple[str, ...]) -> dict[str, Methods]:
        """Modules of that name; none when one of them cannot be judged.

        A configuration and its extensions may each have one.
        """
        if owner not in self._judged:
            self._judged[owner] = self._judge(owner)
        return self._judged[owner]

    def _judge(self, owner: tuple[str, ...]) -> dict[str, Methods]:
        found: dict[str, Methods] = {}
        for path in self._paths.get(owner, ()):
            methods = self.methods(path)
            if methods is None or any(m.is_extension for each in methods.values() for m in each):
                return {}
            found[path] = methods
        return found

    def _check(
        self, report: Reporter, module: BslModule, call: OutgoingCall, proven: Collection[str]
    ) -> Iterator[Finding]:
        if not self.is_broken(call):
            return
        found = self._candidates(call.owner)
        path = next((p for p in found if call.name in found[p]), None)
        owner_name = module.spelling(call.token - 2)
        span, name = module.span(call.token), module.spelling(call.token)
        if path is None:
            if report.has_attributes and call.owner[0] not in proven:
                return  # an attribute of this name may hide the module
            missing = next(iter(found))
            methods = found[missing]
            known = {name: methods[name][0].name for name in methods}
            meant = report.meant(call.name, known, among=missing)
            yield report.finding(
                rules.UNRESOLVED_METHOD,
                span,
                f"`{owner_name}` has no method `{name}`{meant}",
                witness=f"{missing} defines {len(found[missing])} methods, none of this name",
                symbol=call.method,
            )
            return
        target = found[path][call.name][0]
        other = read_module(self._repository.files[path].text)
        if other is None:
            return
        place = Location(path, other.span(target.token), "defined here")
        if not target.is_exported and path != report.path:
            yield report.finding(
                rules.NOT_EXPORTED,
                span,
                f"`{name}` of `{owner_name}` is not exported",
                witness=f"its heading on line {other.row(target.token)} lacks `Экспорт`/`Export`",
                related=(place,),
                symbol=call.method,
            )
        elif not fits(target, call.num_arguments):
            yield wrong_arity(
                report, module, call.token, call.num_arguments, target, other, call.method, path
            )

    def exported_anywhere(self) -> frozenset[str]:
        """Folded names that some common module exports: a global one's can be called plainly."""
        return self._exported

    @cached_property
    def _exported(self) -> frozenset[str]:
        found: set[str] = set()
        for owner, paths in self._paths.items():
            if len(owner) == 1:
                for path in paths:
                    found.update(self._exports(path))
        return frozenset(found)

    def _exports(self, path: str) -> Iterator[str]:
        """From what was read, else from the repository's outline, which is kept between runs."""
        methods = self._methods.get(path)
        if methods is not None:
            yield from (name for name, each in methods.items() if each[0].is_exported)
            return
        for definition in self._repository.outline(path).definitions:
            if definition.exported:
                yield definition.name.lower()


def _owner(place: ModulePlace) -> tuple[str, ...] | None:
    """How code names the module: a common module's name, or an object's kind and name."""
    if place.kind == "CommonModule":
        return (place.name.lower(),)
    return (place.kind, place.name.lower()) if place.role == "manager" else None


def _methods(module: BslModule | None) -> Methods | None:
    return module.methods_by_name if module is not None and module.is_plain else None
