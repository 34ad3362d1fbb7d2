"""BSL modules of a repository → findings of every rule."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property

from nested_ray.analyzers.findings import Finding
from nested_ray.analyzers.semantics import rules
from nested_ray.analyzers.semantics.bsl.calls import (
    OutgoingCall,
    calls_to_check,
    own_calls,
    uncalled_methods,
)
from nested_ray.analyzers.semantics.bsl.conditions import contradictions
from nested_ray.analyzers.semantics.bsl.configuration import Configuration
from nested_ray.analyzers.semantics.bsl.flow import flow_findings
from nested_ray.analyzers.semantics.bsl.methods import Method
from nested_ray.analyzers.semantics.bsl.module import BslModule
from nested_ray.analyzers.semantics.bsl.names import (
    BEFORE_STATEMENT,
    Names,
    PlainCall,
    own_stretches,
    read_names,
)
from nested_ray.analyzers.semantics.bsl.queries import query_findings
from nested_ray.analyzers.semantics.bsl.reading import read_module
from nested_ray.analyzers.semantics.bsl.report import Reporter, all_called
from nested_ray.analyzers.semantics.bsl.variables import variable_findings
from nested_ray.repository.base import Repository


def bsl_findings(repository: Repository, paths: Collection[str]) -> Iterator[Finding]:
    """Of every rule, for the modules named; one that does not parse gets none.

    Calls between modules are checked last, when what every module defines is known.
    """
    configuration = Configuration(repository)
    outgoing: dict[str, _Outgoing] = {}
    for path in paths:
        module = read_module(repository.files[path].text)
        configuration.remember(path, module)
        if module is not None and module.is_plain:
            reading = _Reading(configuration, path, module)
            yield from reading.own_findings()
            if reading.calls or reading.unknown:
                outgoing[path] = (reading.calls, reading.unknown)
    for path, (calls, unknown) in outgoing.items():
        broken = [call for call in calls if configuration.is_broken(call)]
        unresolved = _unresolved(configuration, path, unknown)
        module = read_module(repository.files[path].text) if broken or unresolved else None
        if module is not None:
            report = Reporter(path, configuration.places.get(path), module)
            yield from configuration.broken_calls(report, module, calls)
            yield from (_no_such_method(report, module, *call) for call in unresolved)


_Unknown = tuple[PlainCall, str]
_Outgoing = tuple[list[OutgoingCall], list[_Unknown]]


class _Reading:
    """One module while its rules run."""

    def __init__(self, configuration: Configuration, path: str, module: BslModule) -> None:
        self._module = module
        self._names: list[tuple[Method | None, tuple[int, int], Names]] = []
        for method in module.methods:
            stretch = (method.body, method.end)
            self._names.append((method, stretch, read_names(module, *stretch)))
        for stretch in own_stretches(module):
            self._names.append((None, stretch, read_names(module, *stretch)))
        self._report = Reporter(
            path,
            configuration.places.get(path),
            module,
            configuration.common_modules,
            configuration.application_variables,
            all_called([names for _, _, names in self._names]),
        )
        self.calls: list[OutgoingCall] = []
        """Into other modules."""
        self.unknown: list[_Unknown] = []
        """Plain calls of what neither the module nor the platform defines."""

    def own_findings(self) -> Iterator[Finding]:
        """What the module alone proves; collects what others must be asked about."""
        report, module = self._report, self._module
        yield from uncalled_methods(report, module)
        yield from contradictions(report, module)
        for method, stretch, names in self._names:
            common = report.common_modules
            self.calls += calls_to_check(module, method, stretch, names, common)
            self._collect_unknown(names, method.name if method else "")
            if method is not None:
                yield from own_calls(report, module, method, names)
                yield from variable_findings(report, module, method, names)
                yield from flow_findings(report, module, method, self._used_results)
                yield from query_findings(report, module, method, names)

    @cached_property
    def _used_results(self) -> frozenset[str]:
        """Folded names of own functions whose value some expression of the module uses."""
        kinds = self._module.kinds
        return frozenset(
            call.name
            for _, (start, _), names in self._names
            for call in names.calls
            if call.token > start and kinds[call.token - 1] not in BEFORE_STATEMENT
        )

    def _collect_unknown(self, names: Names, symbol: str) -> None:
        if self._report.place is None:
            return
        known = self._module.methods_by_name
        for call in names.calls:
            if call.name not in known and call.name not in self._report.platform_methods:
                self.unknown.append((call, symbol))


def _unresolved(configuration: Configuration, path: str, unknown: list[_Unknown]) -> list[_Unknown]:
    """Plain calls that no common module defines either, global or not."""
    if not unknown or not configuration.common_modules:
        return []
    exported = configuration.exported_anywhere()
    return [each for each in unknown if each[0].name not in exported]


def _no_such_method(report: Reporter, module: BslModule, call: PlainCall, symbol: str) -> Finding:
    name = module.spelling(call.token)
    meant = report.meant(call.name, report.callable_names, among="methods")
    return report.finding(
        rules.UNRESOLVED_METHOD,
        module.span(call.token),
        f"No procedure or function is called `{name}`{meant}",
        confidence=0.95,
        witness="neither this module, nor a common module, nor the platform defines it",
        symbol=symbol,
    )
