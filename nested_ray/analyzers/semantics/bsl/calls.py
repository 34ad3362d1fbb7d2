"""Calls between BSL methods: of the module itself, and those that go out to other modules."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from nested_ray.analyzers.findings import Finding, Location
from nested_ray.analyzers.semantics import rules
from nested_ray.analyzers.semantics.bsl.methods import Method
from nested_ray.analyzers.semantics.bsl.module import Arguments, BslModule
from nested_ray.analyzers.semantics.bsl.names import Names, PlainCall
from nested_ray.analyzers.semantics.bsl.patterns import any_of, one
from nested_ray.analyzers.semantics.bsl.report import Reporter
from nested_ray.languages.bsl.keywords import Kind
from nested_ray.repository.metadata_paths import MANAGERS

_NOT_BEHIND = b"(?<!" + any_of(Kind.DOT, Kind.AMPERSAND, Kind.TILDE, Kind.NEW) + b")"
_QUALIFIED = re.compile(
    _NOT_BEHIND + (one(Kind.NAME) + one(Kind.DOT)) + one(Kind.NAME)
    + b"(?:" + one(Kind.DOT) + one(Kind.NAME) + b")?" + one(Kind.OPEN)
)  # fmt: skip
_CALLER_CANNOT = {
    "server": {"client"},
    "server without context": {"client", "server"},
    "client and server without context": {"server", "client and server"},
}
"""Where a method runs → where those run that it cannot call."""


class OutgoingCall(NamedTuple):
    """A call of another module's method, kept until every module was read."""

    owner: tuple[str, ...]
    """(`общегоназначения`,) or (`Catalog`, `валюты`): a common module or an object's manager."""
    name: str
    """Folded."""
    num_arguments: int
    token: int
    method: str
    """Name of the method it stands in."""


def own_calls(
    report: Reporter, module: BslModule, method: Method, names: Names
) -> Iterator[Finding]:
    """Calls of the module's own methods that do not fit what they call."""
    for call in names.calls:
        targets = module.methods_by_name.get(call.name)
        if not targets:
            continue
        arguments = module.arguments.get(call.token + 1)
        if arguments is None:
            continue
        if all(not fits(target, arguments.number) for target in targets):
            yield wrong_arity(
                report, module, call.token, arguments.number, targets[0], module, method.name
            )
        elif report.place is not None and report.place.role == "form":
            yield from _wrong_context(report, module, method, call, targets)


def fits(target: Method, count: int) -> bool:
    """Whether a call with that many arguments can reach the method."""
    return target.num_required <= count <= len(target.parameters)


def wrong_arity(
    report: Reporter,
    module: BslModule,
    token: int,
    count: int,
    target: Method,
    target_module: BslModule,
    symbol: str,
    target_path: str = "",
) -> Finding:
    """The finding on a call whose number of arguments does not fit."""
    most, least = len(target.parameters), target.num_required
    takes = f"{most}" if least == most else f"{least} to {most}"
    noun = "argument" if takes == "1" else "arguments"
    place = Location(target_path or report.path, target_module.span(target.token), "defined here")
    heading = target_module.source(target.token, target.body - 1)
    return report.finding(
        rules.WRONG_ARITY,
        module.span(token),
        f"`{target.name}` takes {takes} {noun}, the call passes {count}",
        witness=f"it is defined as `{' '.join(heading.split())}`",
        related=(place,),
        symbol=symbol,
    )


def _wrong_context(
    report: Reporter, module: BslModule, method: Method, call: PlainCall, targets: list[Method]
) -> Iterator[Finding]:
    """A call from where the method is not compiled; without a directive a form's code is server code."""
    target = targets[0]
    if len(targets) > 1:
        return  # one for each place it runs
    caller, callee = method.context or "server", target.context or "server"
    is_conditional = method.is_conditional or target.is_conditional or target.is_extension
    if is_conditional or method.is_extension or callee not in _CALLER_CANNOT.get(caller, ()):
        return
    # `#Если Клиент` inside the method says that this part runs elsewhere.
    if module.conditions_between(method.body, method.end):
        return
    yield report.finding(
        rules.WRONG_CONTEXT,
        module.span(call.token),
        f"`{target.name}` is not available here: it runs on {callee}, its caller on {caller}",
        witness=f"`{method.name}` has the directive of {caller}, `{target.name}` that of {callee}",
        related=(Location(report.path, module.span(target.token), "defined here"),),
        symbol=method.name,
    )


def outgoing_calls(
    module: BslModule, start: int, end: int, hidden: Collection[str], common: Collection[str]
) -> Iterator[tuple[tuple[str, ...], str, int]]:
    """Owner, folded name and token of each `Module.Method(` and `Catalogs.Name.Method(`.

    `hidden` are names that are variables here, `common` the configuration's common modules.
    """
    words = module.words
    for match in _QUALIFIED.finditer(module.kinds, start, end):
        index, opening = match.start(), match.end() - 1
        first = words[index]
        if first in hidden:
            continue
        if opening - index == 3 and first in common:
            yield (first,), words[index + 2], index + 2
        elif opening - index == 5 and first in MANAGERS:
            yield (MANAGERS[first], words[index + 2]), words[index + 4], index + 4


def calls_to_check(
    module: BslModule,
    method: Method | None,
    stretch: tuple[int, int],
    names: Names,
    common: Collection[str],
) -> Iterator[OutgoingCall]:
    """What a method or the module's own statements call in other modules."""
    hidden = set(module.module_variables)
    if method is not None:
        hidden.update(module.shape(method))
    hidden.update(names.written, names.declared, names.loops)
    for owner, name, token in outgoing_calls(module, *stretch, hidden, common):
        arguments: Arguments | None = module.arguments.get(token + 1)
        if arguments is not None:
            symbol = method.name if method else ""
            yield OutgoingCall(owner, name, arguments.number, token, symbol)


def uncalled_methods(report: Reporter, module: BslModule) -> Iterator[Finding]:
    """In a common module nothing but its own code and strings can name a method that is not exported."""
    if report.place is None or report.place.kind != "CommonModule":
        return
    for method in module.methods:
        name = module.words[method.token]
        if method.is_exported or method.is_extension or report.is_called(name):
            continue
        if name not in module.words_in_strings:
            yield report.finding(
                rules.UNUSED_METHOD,
                module.span(method.token),
                f"`{method.name}` is not exported and nothing in the module calls it",
                confidence=0.9,
                witness="no call and no string of the module names it",
                symbol=method.name,
            )
