"""One Python file, read once: its scopes, the names they bind, and the nodes that rules ask about.

The tree is walked with a list and not by recursion: no depth of nesting can end it.
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from nested_ray.analyzers.semantics.places import Places
from nested_ray.analyzers.semantics.python.tree import (
    Call,
    Definition,
    Scope,
    children_of,
    computed_outside,
    expects_error,
    parameters_of,
)

_OWN_NAMESPACE = re.compile(
    r"\b(?:globals|vars|locals|exec|_convert_|global_enum|_test_simple_enum)\b|sys\.modules\[|__dict__"
)
_Visit = tuple[ast.AST, Scope, bool]
"""A node, the scope it stands in, and whether it is guarded."""


class PythonModule:
    """What the rules ask of one file. Raises SyntaxError, ValueError, MemoryError, RecursionError."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.places = Places(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are the syntax level's matter
            self.tree = ast.parse(text.removeprefix("\ufeff"))
        self.scope = Scope("module", self.tree, None)
        self.scopes: dict[ast.AST, Scope] = {self.tree: self.scope}
        self.definitions: list[tuple[Definition, Scope]] = []
        """Functions and classes with the scope that binds them."""
        self.calls: list[Call] = []
        self.statements: list[tuple[ast.stmt, Scope]] = []
        self.conditions: list[tuple[ast.BoolOp | ast.If, Scope]] = []
        self.stored_attributes: set[str] = set()
        """Names assigned behind a dot anywhere: such methods may be replaced."""
        self.shared_names: set[str] = set()
        """Names in `global` and `nonlocal` statements."""
        self.has_star_import = False
        self.fills_own_namespace = _OWN_NAMESPACE.search(text) is not None
        self._walk()

    def _walk(self) -> None:
        waiting: list[_Visit] = [(self.tree, self.scope, False)]
        while waiting:
            node, scope, is_guarded = waiting.pop()
            kind = type(node)
            collect = _COLLECT.get(kind)
            if collect is not None:
                collect(self, node, scope, is_guarded)
            if kind in _SPECIAL:
                following = self._children(node, scope, is_guarded)
                following.reverse()
                waiting += following
            else:
                waiting += [(child, scope, is_guarded) for child in reversed(children_of(node))]

    def _children(self, node: ast.AST, scope: Scope, is_guarded: bool) -> list[_Visit]:
        """Of a node whose parts stand in other scopes or expect an exception."""
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            return self._children_of_scope(node, scope, is_guarded)
        if isinstance(node, ast.arg):
            return []  # its annotation was visited outside
        inner: set[int] = set()
        if isinstance(node, (ast.Try, ast.TryStar, ast.With, ast.AsyncWith)) and expects_error(
            node
        ):
            inner = set(map(id, node.body))
        return [(child, scope, is_guarded or id(child) in inner) for child in children_of(node)]

    def _children_of_scope(self, node: ast.AST, scope: Scope, is_guarded: bool) -> list[_Visit]:
        kind = "class" if isinstance(node, ast.ClassDef) else "function"
        inner = self.scopes[node] = Scope(kind, node, scope)
        body = getattr(node, "body", [])
        own = set(map(id, body if isinstance(body, list) else [body]))
        arguments: ast.arguments | None = getattr(node, "args", None)
        visits: list[_Visit] = []
        for child in children_of(node):
            is_inner = id(child) in own
            # A function's body runs later, outside the block that expects an exception.
            guarded = is_guarded and not (is_inner and kind == "function")
            if arguments is not None and child is arguments:
                # Parameters are bound inside; their defaults and annotations are computed outside.
                visits += [(part, scope, is_guarded) for part in computed_outside(arguments)]
                visits += [(argument, inner, guarded) for argument in parameters_of(arguments)]
            else:
                visits.append((child, inner if is_inner else scope, guarded))
        return visits

    def symbol_at(self, row: int) -> str:
        """Qualified name of the innermost definition around a row; empty at module level."""
        return ".".join(reversed([extent.node.name for extent in self._around(row)]))

    def is_local(self, name: str, row: int) -> bool:
        """Whether a function around the row binds the name."""
        return any(
            name in self.scopes[extent.node].bindings
            for extent in self._around(row)
            if not isinstance(extent.node, ast.ClassDef)
        )

    def _around(self, row: int) -> Iterator[_Extent]:
        """Definitions that hold a row, the innermost first."""
        index = bisect_right(self._extents, row, key=lambda extent: extent.node.lineno) - 1
        while index >= 0:
            extent = self._extents[index]
            if row <= (extent.node.end_lineno or extent.node.lineno):
                yield extent
            index = extent.outer

    @cached_property
    def _extents(self) -> list[_Extent]:
        """Every definition in order, with the index of the one around it."""
        found: list[_Extent] = []
        open_: list[int] = []
        for node, _ in sorted(self.definitions, key=lambda each: each[0].lineno):
            while open_ and (found[open_[-1]].node.end_lineno or 0) < node.lineno:
                open_.pop()
            found.append(_Extent(node, open_[-1] if open_ else -1))
            open_.append(len(found) - 1)
        return found


class _Extent(NamedTuple):
    node: Definition
    outer: int


def _on_call(module: PythonModule, node: ast.Call, scope: Scope, is_guarded: bool) -> None:
    module.calls.append(Call(node, scope, is_guarded))


def _on_name(module: PythonModule, node: ast.Name, scope: Scope, is_guarded: bool) -> None:
    if not isinstance(node.ctx, ast.Load):
        scope.bindings[node.id].append(node)


def _on_attribute(module: PythonModule, node: ast.Attribute, scope: Scope, _: bool) -> None:
    if not isinstance(node.ctx, ast.Load):
        module.stored_attributes.add(node.attr)


def _on_definition(module: PythonModule, node: Definition, scope: Scope, _: bool) -> None:
    module.definitions.append((node, scope))
    scope.bindings[node.name].append(node)


def _on_argument(module: PythonModule, node: ast.arg, scope: Scope, _: bool) -> None:
    scope.bindings[node.arg].append(node)


def _on_import(
    module: PythonModule, node: ast.Import | ast.ImportFrom, scope: Scope, _: bool
) -> None:
    for alias in node.names:
        module.has_star_import |= alias.name == "*"
        scope.bindings[alias.asname or alias.name.partition(".")[0]].append(node)


def _on_named(module: PythonModule, node: ast.AST, scope: Scope, _: bool) -> None:
    name = getattr(node, "name", None) or getattr(node, "rest", None)
    if name:
        scope.bindings[name].append(node)


def _on_shared(module: PythonModule, node: ast.Global | ast.Nonlocal, *_: object) -> None:
    module.shared_names.update(node.names)


def _on_condition(module: PythonModule, node: ast.BoolOp | ast.If, scope: Scope, _: bool) -> None:
    module.conditions.append((node, scope))


def _on_statement(module: PythonModule, node: ast.stmt, scope: Scope, _: bool) -> None:
    module.statements.append((node, scope))


_COLLECT = {
    ast.Call: _on_call,
    ast.Name: _on_name,
    ast.Attribute: _on_attribute,
    ast.arg: _on_argument,
    ast.Import: _on_import,
    ast.ImportFrom: _on_import,
    ast.ExceptHandler: _on_named,
    ast.MatchAs: _on_named,
    ast.MatchStar: _on_named,
    ast.MatchMapping: _on_named,
    ast.Global: _on_shared,
    ast.Nonlocal: _on_shared,
    ast.BoolOp: _on_condition,
    ast.If: _on_condition,
    ast.Assign: _on_statement,
    **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef), _on_definition),
}
_SPECIAL = frozenset(
    (
        *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.arg),
        *(ast.Try, ast.TryStar, ast.With, ast.AsyncWith),
    )
)
