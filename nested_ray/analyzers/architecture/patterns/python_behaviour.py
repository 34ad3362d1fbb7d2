"""Patterns of working together: observer, strategy, visitor, template method."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from nested_ray.analyzers.architecture.patterns.python_creation import Found
from nested_ray.analyzers.architecture.patterns.python_facts import (
    Class,
    Method,
    Module,
    is_name,
    self_attribute,
)
from nested_ray.analyzers.architecture.patterns.python_structure import (
    around_callable,
    around_object,
)

_ADDS = frozenset({"append", "add", "insert", "appendleft", "update", "setdefault"})
_SPEAKS = (
    "observer",
    "listener",
    "subscriber",
    "handler",
    "callback",
    "hook",
    "watcher",
    "receiver",
)
_TELLS = ("on_", "update", "notify", "handle", "changed")
_VISITOR_BASES = frozenset({"NodeVisitor", "NodeTransformer"})
_CALLABLES = frozenset({"Callable", "Awaitable"})

_EVERYWHERE = frozenset(
    {"read", "write", "close", "flush", "get", "set", "add", "append", "pop", "update", "keys", "items",
     "values", "copy", "clear", "send", "cancel", "run", "start", "stop", "join", "open", "seek", "tell"}
)  # fmt: skip
"""Methods that classes have in common without being ways to do one thing."""


def observers(module: Module) -> Iterator[Found]:
    """What others sign up with and are told by."""
    for each in module.classes.values():
        collected = _collected(each)
        for method in each.methods.values():
            told = _told(method, collected)
            if told:
                attribute, call, is_plain = told
                adder = collected[attribute]
                if is_plain or _speaks(attribute, adder, call):
                    yield (
                        each.name,
                        [
                            (each.node, "tells those who signed up"),
                            (adder.node, "signs up"),
                            (call, "is told"),
                        ],
                    )
                    break


def _collected(each: Class) -> dict[str, Method]:
    """Attribute → the method that adds one of its parameters to it."""
    found: dict[str, Method] = {}
    for method in each.methods.values():
        if method.name == "__init__":
            continue
        for node in method.nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                attribute = _collection(node.func.value)
                is_given = any(
                    isinstance(a, ast.Name) and a.id in method.parameters for a in node.args
                )
                if node.func.attr in _ADDS and attribute and is_given:
                    found[attribute] = method
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
                attribute = _collection(node.targets[0])
                if (
                    attribute
                    and isinstance(node.value, ast.Name)
                    and node.value.id in method.parameters
                ):
                    found[attribute] = method
    return found


def _collection(node: ast.AST) -> str:
    """The attribute behind `self.a`, `self.a[key]`, `self.a.values()`, `list(self.a)`."""
    for _ in range(4):
        if name := self_attribute(node):
            return name
        if isinstance(node, ast.Subscript | ast.Attribute):
            node = node.value
        elif isinstance(node, ast.Call):
            is_copy = isinstance(node.func, ast.Name) and node.args
            node = node.args[0] if is_copy else node.func
        else:
            return ""
    return ""


def _told(method: Method, collected: dict[str, Method]) -> tuple[str, ast.Call, bool] | None:
    """Attribute and call of a loop that calls each element (plainly), or a method of it."""
    loops: list[tuple[ast.expr, ast.expr]] = []
    # What is told is not asked: a value that is kept is not a notification.
    asked = {id(node.value) for node in method.nodes if isinstance(node, ast.Assign)}
    for node in method.nodes:
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            loops.append((node.target, node.iter))
    for target, source in loops:
        attribute = _collection(source)
        names = {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
        if attribute not in collected or collected[attribute] is method:
            continue
        for call in method.calls:
            if isinstance(call.func, ast.Name) and call.func.id in names and id(call) not in asked:
                return attribute, call, True
            if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
                if call.func.value.id in names:
                    return attribute, call, False
    return None


def _speaks(attribute: str, adder: Method, call: ast.Call) -> bool:
    """Whether names say that those who are called are being told something."""
    names = (attribute, adder.name, *adder.parameters)
    told = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return any(word in name.lower() for name in names for word in _SPEAKS) or told.startswith(
        _TELLS
    )


def strategies(module: Module) -> Iterator[Found]:
    """What is given one of several ways to do a thing, and does it that way."""
    for each in module.classes.values():
        if around_callable(each) or around_object(module, each):
            continue
        for method in each.methods.values():
            if shown := _by_object(module, each, method) or _by_function(each, method):
                yield each.name, shown
                break


def _by_object(module: Module, each: Class, method: Method) -> list[tuple[ast.AST, str]]:
    """A call to a given object, for which the file has two and more classes."""
    for attribute, called, call in method.delegations:
        if attribute not in each.given:
            continue
        ways = [way for way in module.implementors(called) if way is not each]
        interface = module.classes.get(each.given[attribute])
        if interface is None and (called in _EVERYWHERE or called.startswith("_")):
            continue
        if interface is not None and called in interface.abstract:
            ways = [way for way in ways if way is not interface]
        if len(ways) >= 2 and each.name not in {base for way in ways for base in way.bases}:
            shown = [(way.methods[called].node, f"{way.name} is one way") for way in ways]
            return [
                (each.node, f"is given its way to {called}"),
                (call, "does it that way"),
                *shown,
            ]
    return []


def _by_function(each: Class, method: Method) -> list[tuple[ast.AST, str]]:
    """A given function that is called, and of which there is said to be a choice."""
    for call in method.calls:
        attribute = self_attribute(call.func)
        if attribute in each.given and attribute not in each.methods:
            has_default = any(
                name == attribute and isinstance(value, ast.BoolOp | ast.IfExp)
                for name, value, _ in each.assigned
            )
            if each.given[attribute] in _CALLABLES or has_default:
                return [(each.node, f"is given a function as {attribute}"), (call, "calls it")]
    return []


def visitors(module: Module) -> Iterator[Found]:
    """What has a method for each kind of node that it may meet."""
    welcomed = _welcomed(module)
    for each in module.classes.values():
        visits = [m for name, m in each.methods.items() if name.lower().startswith("visit_")]
        called = [m for name, m in each.methods.items() if name in welcomed]
        is_based = any(base in _VISITOR_BASES or base.endswith("Visitor") for base in each.bases)
        if len(visits) >= 2 or (visits and is_based):
            shown = [(m.node, f"meets {m.name[6:]}") for m in visits]
            yield each.name, [(each.node, "has a method per kind"), *shown]
        elif len(called) >= 2:
            shown = [(welcomed[m.name], f"leads to {m.name}") for m in called]
            yield each.name, [(each.node, "has a method per kind"), *shown]


def _welcomed(module: Module) -> dict[str, ast.Call]:
    """Methods that objects call on a visitor with themselves, where two kinds of objects do so."""
    found: defaultdict[str, dict[str, ast.Call]] = defaultdict(dict)
    for each in module.classes.values():
        for method in each.methods.values():
            for call in method.calls:
                if (
                    isinstance(call.func, ast.Attribute)
                    and isinstance(call.func.value, ast.Name)
                    and call.func.value.id in method.parameters
                    and any(is_name(argument, "self") for argument in call.args)
                ):
                    found[method.name][call.func.attr] = call
    return {
        name: call for calls in found.values() if len(calls) >= 2 for name, call in calls.items()
    }


def template_methods(module: Module) -> Iterator[Found]:
    """A class that says in which order things are done and leaves some of them to subclasses."""
    for each in module.classes.values():
        subclasses = module.subclasses.get(each.name, ())
        overridden = {name for subclass in subclasses for name in subclass.methods}
        hooks = each.abstract | {
            name for name, m in each.methods.items() if m.is_empty and name in overridden
        }
        for method in each.methods.values():
            steps = method.self_calls & each.methods.keys() - {method.name}
            left = sorted(steps & hooks)
            if left and len(steps) >= 2 and method.name not in hooks and method.name != "__init__":
                shown = [
                    (each.methods[name].node, f"{name} is left to subclasses") for name in left
                ]
                yield (
                    each.name,
                    [(each.node, "sets the order"), (method.node, f"in {method.name}"), *shown],
                )
                break
