"""Patterns of putting objects together: adapter, decorator, repository."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from nested_ray.analyzers.architecture.patterns.python_creation import Found, kept_in_closure
from nested_ray.analyzers.architecture.patterns.python_facts import (
    Class,
    Method,
    Module,
    inner_functions,
    is_container,
    is_name,
    self_attribute,
)

_ADAPTERS = ("Adapter", "Adaptor", "Bridge", "Facade")
_READS = ("get", "find", "fetch", "load", "by_", "read", "lookup")
_WRITES = ("add", "save", "insert", "put", "store", "create", "update", "upsert")
_REMOVES = ("delete", "remove", "discard", "drop")
_LISTS = ("list", "all", "find_all", "iter", "search", "query")
_STORES = frozenset(
    {
        "session",
        "db",
        "database",
        "connection",
        "conn",
        "engine",
        "collection",
        "cursor",
        "table",
        "storage",
    }
)
_NAMES = ("Repository", "Repo", "Dao", "DAO")


def wrapped(each: Class) -> dict[str, list[tuple[Method, str, ast.Call]]]:
    """Attribute that is given or made in `__init__` → (own method, method called on it, call)."""
    made = {
        name
        for name, value, method in each.assigned
        if method.name == "__init__" and not is_container(value)
    }
    kept = made | set(each.given)
    found: dict[str, list[tuple[Method, str, ast.Call]]] = {}
    for method in each.methods.values():
        if method.name != "__init__":
            for attribute, called, call in method.delegations:
                if attribute in kept:
                    found.setdefault(attribute, []).append((method, called, call))
    return found


def adapters(module: Module) -> Iterator[Found]:
    """A class that has the methods of one interface and fills them by calling another object's."""
    for each in module.classes.values():
        if each.abstract or each.is_data or around_object(module, each):
            continue
        for uses in wrapped(each).values():
            expected = _expected(module, each)
            own = {name for name in each.public if not expected or name in expected}
            by_other = {
                m.name
                for m, called, call in uses
                if m.name in own and called != m.name and passes_on(m, call)
            }
            by_same = {m.name for m, called, _ in uses if called == m.name}
            is_named = each.name.endswith(_ADAPTERS)
            fills = len(by_other) * 2 >= len(own) and by_other
            if fills and not by_same and (is_named or expected):
                calls = [(call, f"{m.name} calls {called}") for m, called, call in uses]
                yield each.name, [(each.node, _as_what(each)), *calls]
                break


def passes_on(method: Method, call: ast.Call) -> bool:
    """Whether a call does the method's work: it gets what the method got, or gives what it gives."""
    inside = {id(node) for value in method.returned for node in ast.walk(value)}
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    names = {n.id for each in arguments for n in ast.walk(each) if isinstance(n, ast.Name)}
    return not method.parameters or id(call) in inside or bool(names & set(method.parameters))


def _expected(module: Module, each: Class) -> frozenset[str]:
    """Public methods that its base classes ask for; of a base in another file, all that it has."""
    found: set[str] = set()
    for base in each.bases:
        known = module.classes.get(base)
        if known is not None:
            found |= known.public.keys() & each.public.keys()
        elif base and base not in ("object", "ABC", "Protocol", "Generic"):
            found |= each.public.keys()
    return frozenset(found)


def _as_what(each: Class) -> str:
    return f"stands in as {each.bases[0]}" if each.bases else "stands in for what it wraps"


def decorators(module: Module) -> Iterator[Found]:
    """Functions around functions, and classes around objects of the same kind."""
    for name, function in module.functions.items():
        if shown := around_function(function):
            yield name, shown
    for each in module.classes.values():
        if shown := around_object(module, each) or around_callable(each):
            yield each.name, shown


def around_function(function: Method) -> list[tuple[ast.AST, str]]:
    """Takes a function and returns another one that calls it, at once or after being given options."""
    if kept_in_closure(function):
        return []
    returned = {node.id for node in function.returned if isinstance(node, ast.Name)}
    for inner in inner_functions(function.node):
        if inner.name in returned:
            calls = [
                call
                for call in inner.calls
                if isinstance(call.func, ast.Name) and call.func.id in function.parameters
            ]
            if calls:
                return [
                    (function.node, "takes a function"),
                    (inner.node, "stands in for it"),
                    (calls[0], "calls it"),
                ]
            deeper = around_function(inner)
            if deeper:
                return [(function.node, "makes a decorator"), *deeper]
    return []


def around_object(module: Module, each: Class) -> list[tuple[ast.AST, str]]:
    """Keeps an object of its own kind and calls the same methods on it."""
    if not each.bases:
        return []
    asked = _expected(module, each)
    for attribute, uses in wrapped(each).items():
        same = [(m, call) for m, called, call in uses if called == m.name and m.name in asked]
        others = {(m.name, called) for m, called, _ in uses if called != m.name}
        if attribute in each.given and len({m.name for m, _ in same}) >= max(1, len(others)):
            calls = [
                (call, f"{method.name} calls the same of {attribute}") for method, call in same
            ]
            return [(each.node, f"is a {each.bases[0]} around another"), *calls]
    return []


def around_callable(each: Class) -> list[tuple[ast.AST, str]]:
    """Keeps a function and calls it when it is called itself."""
    method = each.methods.get("__call__")
    for call in method.calls if method else ():
        if self_attribute(call.func) in each.given:
            return [(each.node, "keeps a function"), (call, "calls it when called")]
    return []


def repositories(module: Module) -> Iterator[Found]:
    """What gives, takes and removes objects of one kind as if they were a collection."""
    for each in module.classes.values():
        groups = {
            what: [name for name in each.public if name.startswith(starts)]
            for what, starts in (
                ("gives", _READS), ("takes", _WRITES), ("removes", _REMOVES), ("lists", _LISTS),
            )
        }  # fmt: skip
        has = [what for what, names in groups.items() if names]
        if "takes" not in has or len(has) < 2:
            continue
        proof = _kept_in_store(each) or _kept_by_key(each)
        if each.name.endswith(_NAMES) or proof or (each.abstract and len(has) >= 3):
            shown = [
                (each.methods[names[0]].node, f"{what}: {', '.join(names)}")
                for what, names in groups.items()
                if names
            ]
            yield each.name, [(each.node, "keeps objects of one kind"), *shown, *proof]


def _kept_in_store(each: Class) -> list[tuple[ast.AST, str]]:
    for method in each.public.values():
        for attribute, called, call in method.delegations:
            if attribute.strip("_").lower() in _STORES:
                return [(call, f"{called} on {attribute}")]
    return []


def _kept_by_key(each: Class) -> list[tuple[ast.AST, str]]:
    """`self.items[item.key] = item`: objects are kept under what they are known by."""
    for method in each.public.values():
        for node in method.nodes:
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            if isinstance(target, ast.Subscript) and self_attribute(target.value):
                key, value = target.slice, node.value if isinstance(node, ast.Assign) else None
                if isinstance(key, ast.Attribute) and isinstance(value, ast.Name):
                    if is_name(key.value, value.id) and value.id in method.parameters:
                        return [(node, "kept under its own key")]
    return []
