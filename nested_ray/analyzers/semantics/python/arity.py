"""Calls of Python functions, methods and classes that can only mean one definition, and fail."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from nested_ray.analyzers.findings import Finding, Location
from nested_ray.analyzers.semantics import rules
from nested_ray.analyzers.semantics.python import classes
from nested_ray.analyzers.semantics.python.module import PythonModule
from nested_ray.analyzers.semantics.python.signatures import (
    Signature,
    decorators_of,
    misfit,
    signature_of,
)
from nested_ray.analyzers.semantics.python.tree import Call, Definition, Function, Scope
from nested_ray.languages.base import Span

_CHANGED_LATER = {"__defaults__", "__kwdefaults__", "__code__", "__call__", "__init__", "__new__"}
"""Assigned behind a dot, they make another signature of one that is written."""


@dataclass(frozen=True)
class Target:
    """What a call means: where it is defined and what it takes."""

    path: str
    module: PythonModule
    node: ast.AST
    name: str
    signature: Signature


@dataclass(frozen=True)
class Surroundings:
    """What lies outside the file: definitions that names of other modules were proven to mean."""

    linked: Mapping[int, tuple[str, int]]
    """Offset of a called name → path and offset of the definition it means."""
    module_of: Callable[[str], PythonModule | None]


def wrong_calls(path: str, module: PythonModule, around: Surroundings) -> Iterator[Finding]:
    """Calls that must raise TypeError, whatever the values are."""
    for call in module.calls:
        if call.is_guarded or _CHANGED_LATER & module.stored_attributes:
            continue
        target = _target(path, module, call, around)
        reason = misfit(call.node, target.signature) if target else None
        if target is None or reason is None:
            continue
        yield Finding(
            rule=rules.WRONG_ARITY.id,
            path=path,
            span=_call_span(module, call.node),
            message=f"`{target.name}` {reason}",
            severity=rules.WRONG_ARITY.severity,
            confidence=1.0,
            witness=_witness(target),
            related=(_definition_place(target),),
            symbol=module.symbol_at(call.node.lineno),
        )


def _call_span(module: PythonModule, call: ast.Call) -> Span:
    """The callee; of `a.b(...)` the whole `a.b`."""
    return module.places.span(call.func)


def _witness(target: Target) -> str:
    heading = _heading(target)
    return f"the only definition it can mean is `{heading}`"


def _heading(target: Target) -> str:
    if isinstance(target.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return f"def {target.node.name}({ast.unparse(target.node.args)})"
    return f"class {target.name}"


def _definition_place(target: Target) -> Location:
    offset = name_offset(target.module, target.node)
    name = getattr(target.node, "name", "")
    return Location(target.path, Span(offset, offset + len(name)), "defined here")


def name_offset(module: PythonModule, node: ast.AST) -> int:
    """Where the name of a definition stands."""
    span = module.places.span(node)
    name = getattr(node, "name", "")
    return max(span.start, module.text.find(name, span.start + 3, span.end))


def _target(path: str, module: PythonModule, call: Call, around: Surroundings) -> Target | None:
    function = call.node.func
    if isinstance(function, ast.Name):
        bound = _meaning(module, function.id, call.scope)
        if isinstance(bound, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return _of_definition(path, module, bound)
        if isinstance(bound, (ast.Import, ast.ImportFrom)):
            return _linked(module, function, around)
        return None
    if not isinstance(function, ast.Attribute):
        return None
    return _of_attribute(path, module, function, call.scope, around)


def _meaning(module: PythonModule, name: str, scope: Scope) -> ast.AST | None:
    """The only place that can have bound the name; None when there are several or none."""
    if name in module.shared_names:
        return None
    where: Scope | None = scope
    while where is not None:
        # Names of a class body are not visible inside its methods.
        if name in where.bindings and (where.kind != "class" or where is scope):
            if where.kind == "module" and (module.has_star_import or module.fills_own_namespace):
                return None
            return where.only_binding(name)
        where = where.parent
    return None


def _of_definition(path: str, module: PythonModule, node: Definition) -> Target | None:
    if isinstance(node, ast.ClassDef):
        made = classes.construction(module, node)
        return Target(path, module, made[1], node.name, made[0]) if made else None
    signature = signature_of(node)
    if signature is None or {"staticmethod", "classmethod"}.intersection(decorators_of(node)):
        return None
    return Target(path, module, node, node.name, signature)


def _linked(module: PythonModule, name: ast.expr, around: Surroundings) -> Target | None:
    """What another file's definition takes, when the repository proved which one is meant."""
    end = module.places.span(name).end
    word = name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")
    found = around.linked.get(end - len(word))
    other = around.module_of(found[0]) if found else None
    if found is None or other is None:
        return None
    for node, scope in other.definitions:
        if scope is other.scope and node.name == word and _covers(other, node, found[1]):
            if _meaning(other, word, other.scope) is node and word not in module.stored_attributes:
                return _of_definition(found[0], other, node)
    return None


def _covers(module: PythonModule, node: Definition, offset: int) -> bool:
    """Whether a definition that begins there, with its decorators, is this one."""
    first = node.decorator_list[0] if node.decorator_list else node
    return abs(module.places.row(offset) - first.lineno) <= 0


def _of_attribute(
    path: str, module: PythonModule, function: ast.Attribute, scope: Scope, around: Surroundings
) -> Target | None:
    owner = function.value
    if not isinstance(owner, ast.Name):
        return None
    node = classes.enclosing_class(scope)
    if node is not None and _is_self(module, scope, owner.id):
        return _bound_method(path, module, node, function.attr)
    bound = _meaning(module, owner.id, scope)
    if isinstance(bound, (ast.Import, ast.ImportFrom)):
        return _linked(module, function, around)
    if isinstance(bound, ast.ClassDef):
        return _method_of_class(path, module, bound, function.attr)
    return None


def _is_self(module: PythonModule, scope: Scope, name: str) -> bool:
    """Whether the name is the instance a method was called on."""
    method = scope.node
    if not isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) or method.decorator_list:
        return False
    parameters = [*method.args.posonlyargs, *method.args.args]
    is_first = bool(parameters) and parameters[0].arg == name
    return is_first and method.name != "__new__" and len(scope.bindings[name]) == 1


def _bound_method(path: str, module: PythonModule, node: ast.ClassDef, name: str) -> Target | None:
    lineage = classes.ancestry(module, node)
    found = classes.method(module, lineage, name) if lineage else None
    if found is None or _is_placeholder(found) or classes.overridden(module, node, name):
        return None
    return _as_method(path, module, found, is_bound=True)


def _method_of_class(
    path: str, module: PythonModule, node: ast.ClassDef, name: str
) -> Target | None:
    lineage = classes.ancestry(module, node)
    found = classes.method(module, lineage, name) if lineage else None
    return _as_method(path, module, found, is_bound=False) if found else None


def _as_method(path: str, module: PythonModule, node: Function, *, is_bound: bool) -> Target | None:
    signature = signature_of(node)
    decorators = decorators_of(node)
    if signature and "staticmethod" not in decorators and (is_bound or "classmethod" in decorators):
        signature = signature.without_first()
    return Target(path, module, node, node.name, signature) if signature else None


def _is_placeholder(node: Function) -> bool:
    """A body that only says what heirs shall do: they may take other parameters."""
    body = [s for s in node.body if not (isinstance(s, ast.Expr) and _is_constant(s.value))]
    return all(isinstance(statement, (ast.Pass, ast.Raise)) for statement in body)


def _is_constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant)
