"""Nodes of CPython's syntax tree and the scopes they stand in."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_RAISES = re.compile(r"raises|suppress|warns|check_", re.IGNORECASE)
_CATCHES_TYPE_ERROR = {"TypeError", "Exception", "BaseException"}


@dataclass(eq=False)
class Scope:
    """A module, class or function and every place where it binds a name."""

    kind: Literal["module", "class", "function"]
    node: ast.AST
    parent: Scope | None
    bindings: dict[str, list[ast.AST]] = field(default_factory=lambda: defaultdict(list))

    def only_binding(self, name: str) -> ast.AST | None:
        """What binds the name, when exactly one place does."""
        found = self.bindings.get(name, ())
        return found[0] if len(found) == 1 else None


class Call(NamedTuple):
    node: ast.Call
    scope: Scope
    is_guarded: bool
    """Inside a block that expects an exception: a wrong call may be meant."""


def children_of(node: ast.AST) -> list[ast.AST]:
    """The parts of a node in order, without operators, contexts and constants."""
    found: list[ast.AST] = []
    for name in _fields(type(node)):
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [each for each in value if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


@cache
def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """The fields of a kind of node that can hold parts with names, calls or statements in them."""
    left_out = {"ctx", "op", "ops", "id", "attr", "arg", "name", "names", "kind", "type_comment"}
    return tuple(name for name in kind._fields if name not in left_out)


def parameters_of(arguments: ast.arguments) -> list[ast.arg]:
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return found + [each for each in (arguments.vararg, arguments.kwarg) if each is not None]


def computed_outside(arguments: ast.arguments) -> list[ast.expr]:
    """What is computed where the function is defined."""
    annotations = [a.annotation for a in parameters_of(arguments)]
    values = [*arguments.defaults, *arguments.kw_defaults, *annotations]
    return [value for value in values if value is not None]


def expects_error(node: ast.Try | ast.TryStar | ast.With | ast.AsyncWith) -> bool:
    """Whether the body may be meant to raise TypeError."""
    if isinstance(node, (ast.With, ast.AsyncWith)):
        names = (_last_name(item.context_expr) for item in node.items)
        return any(_RAISES.search(name) for name in names)
    return any(_catches(handler.type) for handler in node.handlers)


def _catches(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_catches(each) for each in caught.elts)
    return caught is None or _last_name(caught) in _CATCHES_TYPE_ERROR


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
