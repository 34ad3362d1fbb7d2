"""Python statements and conditions that contradict themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from nested_ray.analyzers.findings import Finding, Location, Rule
from nested_ray.analyzers.semantics import rules
from nested_ray.analyzers.semantics.python.module import PythonModule
from nested_ray.analyzers.semantics.python.tree import Scope

_CHANGES = {
    *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"),
    *("add", "discard", "update", "setdefault", "popitem"),
}
_MAX_CONDITION_NODES = 200


def contradictions(path: str, module: PythonModule) -> Iterator[Finding]:
    """Self-assignments, repeated operands and conditions, defaults that are changed."""
    for statement, scope in module.statements:
        if isinstance(statement, ast.Assign) and _assigns_itself(module, statement, scope):
            text = f"`{ast.unparse(statement.targets[0])}` is assigned to itself"
            yield _finding(rules.SELF_ASSIGNMENT, path, module, statement, text)
    chained: set[int] = set()
    for node, _ in module.conditions:
        if isinstance(node, ast.BoolOp):
            yield from _repeated_operands(path, module, node)
        elif id(node) not in chained:
            yield from _repeated_conditions(path, module, node, chained)
    for node, _ in module.definitions:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _changed_defaults(path, module, node)


def _finding(
    rule: Rule,
    path: str,
    module: PythonModule,
    node: ast.AST,
    message: str,
    *,
    first: ast.AST | None = None,
    witness: str = "",
) -> Finding:
    related = () if first is None else (Location(path, module.places.span(first), "first here"),)
    return Finding(
        rule=rule.id,
        path=path,
        span=module.places.span(node),
        message=message,
        severity=rule.severity,
        confidence=0.95,
        witness=witness,
        related=related,
        symbol=module.symbol_at(getattr(node, "lineno", 1)),
    )


def _assigns_itself(module: PythonModule, node: ast.Assign, scope: Scope) -> bool:
    """`x = x` of a local variable; in modules and classes it copies a name from outside."""
    target = node.targets[0]
    if len(node.targets) > 1 or not isinstance(target, ast.Name) or scope.kind != "function":
        return False
    value = node.value
    is_same = isinstance(value, ast.Name) and value.id == target.id
    return is_same and target.id not in module.shared_names


def _repeated_operands(path: str, module: PythonModule, node: ast.BoolOp) -> Iterator[Finding]:
    seen: dict[str, ast.expr] = {}
    for value in node.values:
        key = _condition_key(value)
        if key is None:
            continue
        if key in seen:
            word = "and" if isinstance(node.op, ast.And) else "or"
            text = f"`{key}` stands twice in this `{word}`"
            yield _finding(rules.REPEATED_OPERAND, path, module, value, text, first=seen[key])
        seen.setdefault(key, value)


def _repeated_conditions(
    path: str, module: PythonModule, node: ast.If, chained: set[int]
) -> Iterator[Finding]:
    seen: dict[str, ast.expr] = {}
    while True:
        key = _condition_key(node.test)
        if key is not None and key in seen:
            text = f"This branch is never taken: `{key}` was asked before"
            yield _finding(rules.REPEATED_CONDITION, path, module, node.test, text, first=seen[key])
        if key is not None:
            seen.setdefault(key, node.test)
        if len(node.orelse) != 1 or not isinstance(node.orelse[0], ast.If):
            return
        node = node.orelse[0]
        chained.add(id(node))


def _condition_key(node: ast.expr) -> str | None:
    """Its text where asking twice gives the same answer; None when something is called or changed."""
    count = 0
    if isinstance(node, (ast.Constant, ast.Tuple)):
        return None
    for child in ast.walk(node):
        count += 1
        if count > _MAX_CONDITION_NODES or isinstance(
            child, (ast.Call, ast.Await, ast.NamedExpr, ast.Yield, ast.YieldFrom)
        ):
            if not (isinstance(child, ast.Call) and _is_pure(child)):
                return None
    return ast.unparse(node)


def _is_pure(call: ast.Call) -> bool:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    return name in {"isinstance", "issubclass", "len", "callable", "startswith", "endswith"}


def _changed_defaults(
    path: str, module: PythonModule, node: ast.FunctionDef | ast.AsyncFunctionDef
) -> Iterator[Finding]:
    arguments = [*node.args.posonlyargs, *node.args.args][
        -len(node.args.defaults) or len(node.args.args) + 1 :
    ]
    pairs = [*zip(arguments, node.args.defaults, strict=False)]
    pairs += [(a, d) for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d]
    mutable = {a.arg: d for a, d in pairs if isinstance(d, (ast.List, ast.Dict, ast.Set))}
    bindings = module.scopes[node].bindings
    mutable = {name: d for name, d in mutable.items() if len(bindings[name]) == 1}
    if not mutable:
        return
    for child in ast.walk(node):
        name = _changed_name(child)
        if name in mutable:
            text = f"`{name}` is changed here, and with it the default of every later call"
            default = mutable.pop(name)
            yield _finding(rules.MUTABLE_DEFAULT, path, module, child, text, first=default)


def _changed_name(node: ast.AST) -> str:
    """The plain name whose object a node changes; empty when it changes none."""
    changed: ast.expr | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        changed = node.func.value if node.func.attr in _CHANGES else None
    elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        changed = node.value
    return changed.id if isinstance(changed, ast.Name) else ""
