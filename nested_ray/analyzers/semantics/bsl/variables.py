"""Variables and parameters of BSL methods: unused, or read before there is a value."""

from __future__ import annotations

from collections.abc import Iterator

from nested_ray.analyzers.findings import Finding, Location
from nested_ray.analyzers.semantics import rules
from nested_ray.analyzers.semantics.bsl.methods import Method
from nested_ray.analyzers.semantics.bsl.module import BslModule
from nested_ray.analyzers.semantics.bsl.names import Names
from nested_ray.analyzers.semantics.bsl.report import Reporter
from nested_ray.languages.bsl.builtins import global_names
from nested_ray.languages.bsl.keywords import Kind

_EVENT_WORDS = set(
    "команда command элемент item отказ cancel стандартнаяобработка standardprocessing источник source "
    "имясобытия eventname выбранноезначение selectedvalue дополнительныепараметры "
    "additionalparameters".split()
)


def variable_findings(
    report: Reporter, module: BslModule, method: Method, names: Names
) -> Iterator[Finding]:
    """Of one method; `names` are those of its body."""
    parameters = set(module.shape(method))
    if report.has_attributes:
        # A name that is written may be an attribute of the form or the object.
        local = names.declared.keys() - parameters
    else:
        local = (names.written.keys() | names.declared.keys()) - parameters
        yield from _without_value(report, module, method, names, parameters)
    if names.runs_text:
        return
    for name in sorted(local - names.read.keys() - names.loops.keys(), key=_in_order(names)):
        token = names.first_binding(name)
        if token is not None and not _is_known_outside(module, name):
            yield _unused(report, module, method, token, is_written=name in names.written)
    if not method.is_exported:
        yield from _unused_parameters(report, module, method, names)


def _in_order(names: Names):
    return lambda name: names.first_binding(name) or 0


def _is_known_outside(module: BslModule, name: str) -> bool:
    return name in module.module_variables or name in global_names()


def _unused(
    report: Reporter, module: BslModule, method: Method, token: int, *, is_written: bool
) -> Finding:
    name = module.spelling(token)
    what = "gets a value that is never read" if is_written else "is declared and never used"
    return report.finding(
        rules.UNUSED_VARIABLE,
        module.span(token),
        f"Variable `{name}` {what}",
        confidence=0.9,
        witness=f"`{method.name}` reads `{name}` nowhere",
        symbol=method.name,
    )


def _unused_parameters(
    report: Reporter, module: BslModule, method: Method, names: Names
) -> Iterator[Finding]:
    """Of a method that only this module calls, by its name."""
    name = module.words[method.token]
    if method.is_extension or not report.is_called(name) or name in module.words_in_strings:
        return
    is_stub = not names.read and not names.calls
    if is_stub or _is_shared_shape(report, module, method):
        return
    for parameter in method.parameters:
        folded = module.words[parameter.token]
        used = folded in names.read or folded in names.written or folded in names.loops
        if not used:
            yield report.finding(
                rules.UNUSED_PARAMETER,
                module.span(parameter.token),
                f"`{method.name}` never uses its parameter `{parameter.name}`",
                confidence=0.8,
                witness="the method is called by its name in this module only",
                symbol=method.name,
            )


def _is_shared_shape(report: Reporter, module: BslModule, method: Method) -> bool:
    """Whether others set the parameters: an event's, or those of methods that are called alike."""
    shape = module.shape(method)
    if report.has_attributes and (method.context == "client" or _EVENT_WORDS & set(shape)):
        return True
    return len(shape) > 1 and module.num_of_shape[shape] > 1


def _local_spellings(module: BslModule, method: Method, names: Names) -> dict[str, str]:
    """The method's parameters and variables: folded name → as written."""
    found = {module.words[p.token]: p.name for p in method.parameters}
    for name in (*names.written, *names.loops, *names.declared):
        found.setdefault(name, module.spelling(names.first_binding(name) or 0))
    return found


def _without_value(
    report: Reporter, module: BslModule, method: Method, names: Names, parameters: set[str]
) -> Iterator[Finding]:
    """Names that are read and bound nowhere, or only further down: neither compiles."""
    if report.application_variables is None:
        return
    outer = parameters | module.module_variables | report.application_variables
    for name, token in names.read.items():
        bound = names.first_binding(name)
        if name in outer or (bound is not None and bound < token):
            continue
        if name in global_names() or report.is_configuration_name(name):
            continue
        spelling, span = module.spelling(token), module.span(token)
        if bound is None:
            known = {**report.common_modules, **_local_spellings(module, method, names)}
            meant = report.meant(name, known, among=f"names of {method.name}")
            if module.kinds[token + 1] == Kind.DOT and not meant:
                continue  # may be a module of the configuration that an extension extends
            yield report.finding(
                rules.UNRESOLVED_NAME,
                span,
                f"Nothing is called `{spelling}` here{meant}",
                confidence=0.9,
                witness=f"neither `{method.name}`, its module, the configuration nor the platform "
                "defines the name",
                symbol=method.name,
            )
        else:
            yield report.finding(
                rules.READ_BEFORE_ASSIGNMENT,
                span,
                f"`{spelling}` is read before anything is assigned to it",
                witness=f"`{method.name}` assigns it first on line {module.row(bound)}",
                related=(Location(report.path, module.span(bound), "assigned first here"),),
                symbol=method.name,
            )
