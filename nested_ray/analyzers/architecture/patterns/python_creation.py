"""Patterns of making objects: factory, singleton, builder."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from nested_ray.analyzers.architecture.patterns.python_facts import (
    Class,
    Method,
    Module,
    inner_functions,
    is_class_name,
    is_name,
    last_name,
    own_nodes,
    root_name,
    self_attribute,
)

Found = tuple[str, list[tuple[ast.AST, str]]]
"""Symbol, and the nodes that show the pattern, each with what it shows."""

_MAKES = ("create", "make", "build", "new", "produce")
_SETS = ("set_", "add_", "with_", "build_", "append_", "put_")
_ENDS = ("build", "finish", "result", "get_result", "done", "construct", "compile", "to_")
_ONCE = frozenset({"cache", "lru_cache", "cached"})


def factories(module: Module) -> Iterator[Found]:
    """What chooses which class to make, or leaves the choice to subclasses."""
    tables = class_tables(module.tree.body)
    for name, function in module.functions.items():
        if shown := chosen_classes(function) or looked_up(function, tables):
            yield name, shown
    for each in module.classes.values():
        tables_here = tables | class_tables(each.node.body)
        for method in each.methods.values():
            if shown := chosen_classes(method) or looked_up(method, tables_here):
                yield each.name, shown
                break
        else:
            if shown := left_to_subclasses(module, each):
                yield each.name, shown


def chosen_classes(method: Method) -> list[tuple[ast.AST, str]]:
    """Two and more classes of which one is made and returned."""
    made = [value for value in method.returned if isinstance(value, ast.Call)]
    made += [
        part
        for value in method.returned
        if isinstance(value, ast.IfExp)
        for part in (value.body, value.orelse)
        if isinstance(part, ast.Call)
    ]
    by_name = {last_name(call.func): call for call in made if isinstance(call.func, ast.Name)}
    classes = {name: call for name, call in by_name.items() if is_class_name(name)}
    if len(classes) < 2:
        return []
    return [
        (method.node, "chooses a class"),
        *((call, f"makes {name}") for name, call in classes.items()),
    ]


def class_tables(body: list[ast.stmt]) -> dict[str, ast.Dict]:
    """Names of dictionaries whose values are two and more classes."""
    found: dict[str, ast.Dict] = {}
    for node in body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Dict):
            classes = {
                last_name(each)
                for each in value.values
                if isinstance(each, ast.Name | ast.Attribute)
            }
            if len([name for name in classes if is_class_name(name)]) >= 2:
                targets = node.targets if isinstance(node, ast.Assign) else []
                if isinstance(node, ast.AnnAssign):
                    targets = [node.target]
                found.update((last_name(target), value) for target in targets)
    return found


def looked_up(method: Method, tables: dict[str, ast.Dict]) -> list[tuple[ast.AST, str]]:
    """A class taken from a table and made."""
    variables: dict[str, str] = {}
    for node in method.nodes:
        if isinstance(node, ast.Assign) and (table := _table_of(node.value, tables)):
            variables.update((last_name(target), table) for target in node.targets)
    for call in method.calls:
        name = (
            _table_of(call.func, tables) if isinstance(call.func, ast.Subscript | ast.Call) else ""
        )
        if isinstance(call.func, ast.Name):
            name = variables.get(call.func.id, "")
        if name:
            return [
                (method.node, "makes what a table names"),
                (tables[name], "the classes"),
                (call, "made here"),
            ]
    return []


def _table_of(node: ast.AST, tables: dict[str, ast.Dict]) -> str:
    """The table that `TABLE[key]` or `TABLE.get(key)` looks into."""
    if isinstance(node, ast.Subscript):
        name = last_name(node.value)
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "get"
    ):
        name = last_name(node.func.value)
    else:
        return ""
    return name if name in tables else ""


def left_to_subclasses(module: Module, each: Class) -> list[tuple[ast.AST, str]]:
    """Abstract methods named for making, which subclasses fill with classes of theirs."""
    makers = [name for name in each.abstract if name.lstrip("_").startswith(_MAKES)]
    shown: list[tuple[ast.AST, str]] = []
    for subclass in module.subclasses.get(each.name, ()):
        for name in makers:
            method = subclass.methods.get(name)
            for value in method.returned if method else ():
                if isinstance(value, ast.Call) and is_class_name(last_name(value.func)):
                    shown.append((value, f"{subclass.name} makes {last_name(value.func)}"))
    return (
        [(each.node, f"leaves {', '.join(sorted(makers))} to subclasses"), *shown] if shown else []
    )


def singletons(module: Module) -> Iterator[Found]:
    """What makes one object and gives it out again and again."""
    for each in module.classes.values():
        for method in each.methods.values():
            if shown := kept_on_class(each, method):
                yield each.name, shown
                break
    for name, function in module.functions.items():
        shown = kept_in_global(function) or kept_in_closure(function) or made_once(function)
        if shown:
            yield name, shown


def kept_on_class(each: Class, method: Method) -> list[tuple[ast.AST, str]]:
    """An object of the class, made where an attribute of the class is still empty."""
    owners = {"cls", each.name, "type"}
    makers = {*owners, "super", "object"}
    if not any(isinstance(node, ast.If) and _is_unset(node.test) for node in method.nodes):
        return []
    for node in method.nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            target = node.targets[0]
            is_kept = (
                isinstance(target, ast.Attribute | ast.Subscript) and root_name(target) in owners
            )
            if is_kept and root_name(node.value.func) in makers and makes_own(node.value, each):
                return [(method.node, "gives the only object"), (node, "made once")]
    return []


def makes_own(call: ast.Call, each: Class) -> bool:
    """`cls()`, `Name()`, `super().__new__(cls)`, `super().__call__()`: an object of the class itself."""
    if isinstance(call.func, ast.Name):
        return call.func.id in ("cls", each.name)
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("__new__", "__call__")


def _is_unset(test: ast.expr) -> bool:
    """`x is None`, `x not in y`, `not x`, `not hasattr(...)`."""
    if isinstance(test, ast.Compare):
        return isinstance(test.ops[0], ast.Is | ast.NotIn | ast.Eq)
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def kept_in_global(function: Method) -> list[tuple[ast.AST, str]]:
    """An object made where a global is still empty, and kept there."""
    declared = {
        name for node in function.nodes if isinstance(node, ast.Global) for name in node.names
    }
    tested = any(isinstance(node, ast.If) and _is_unset(node.test) for node in function.nodes)
    given = {node.id for node in function.returned if isinstance(node, ast.Name)}
    for node in function.nodes:
        if isinstance(node, ast.Assign) and tested and isinstance(node.value, ast.Call):
            kept = last_name(node.targets[0])
            if kept in declared & given and is_class_name(last_name(node.value.func)):
                return [(function.node, "gives the only object"), (node, "made once")]
    return []


def kept_in_closure(function: Method) -> list[tuple[ast.AST, str]]:
    """A decorator of classes that remembers the object of each."""
    parameter = function.parameters[0] if len(function.parameters) == 1 else ""
    if parameter not in ("cls", "klass", "class_"):
        return []
    for inner in inner_functions(function.node):
        tested = any(isinstance(node, ast.If) and _is_unset(node.test) for node in inner.nodes)
        made = [c for c in inner.calls if is_name(c.func, parameter)]
        if tested and made:
            return [(function.node, "remembers the object of each class"), (made[0], "made once")]
    return []


def made_once(function: Method) -> list[tuple[ast.AST, str]]:
    """A cached function without parameters that makes an object."""
    cached = any(last_name(each) in _ONCE for each in function.node.decorator_list)
    if not cached or function.parameters or function.node.args.vararg or function.node.args.kwarg:
        return []
    made = [
        v for v in function.returned if isinstance(v, ast.Call) and is_class_name(last_name(v.func))
    ]
    return (
        [(function.node, "cached and without parameters"), (made[0], "made once")] if made else []
    )


def builders(module: Module) -> Iterator[Found]:
    """What gathers the parts of an object step by step and gives it in the end."""
    for each in module.classes.values():
        fluent = [m for m in each.public.values() if returns_self(m) and m.parameters]
        steps = fluent or [m for m in each.public.values() if _is_step(m)]
        ends = [
            m for m in each.public.values() if m not in steps and _is_end(m, is_fluent=bool(fluent))
        ]
        is_named = each.name.endswith("Builder")
        if len(steps) >= 2 and ends and (fluent or is_named):
            shown = [(step.node, f"{step.name} adds a part") for step in steps]
            yield (
                each.name,
                [(each.node, "gathers parts"), *shown, (ends[0].node, "gives the whole")],
            )


def returns_self(method: Method) -> bool:
    """Whether a method changes the object, or a copy of it, and returns that."""
    if not method.returned:
        return False
    for value in method.returned:
        is_copy = isinstance(value, ast.Call) and last_name(value.func) in (
            "replace",
            "_replace",
            "evolve",
        )
        if not (
            is_name(value, "self") or (is_copy and any(is_name(n, "self") for n in ast.walk(value)))
        ):
            return False
    return True


def _is_step(method: Method) -> bool:
    sets = any(
        isinstance(node, ast.Assign | ast.AugAssign) and _on_self(node) for node in method.nodes
    )
    return (
        method.name.startswith(_SETS) and not method.returned and (sets or bool(method.delegations))
    )


def _on_self(node: ast.Assign | ast.AugAssign) -> bool:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    while isinstance(target, ast.Attribute) and not self_attribute(target):
        target = target.value
    return bool(self_attribute(target))


def _is_end(method: Method, *, is_fluent: bool) -> bool:
    """Whether it returns something made of two and more parts, or is named for the end."""
    if not method.returned or method.parameters:
        return False
    parts = {self_attribute(node) for node in own_nodes(method.node)} - {""}
    is_named = method.name.startswith(_ENDS)
    return is_named or (is_fluent and len(parts) >= 2)
