"""One Python file, read once: its scopes, the names they bind, and the nodes that rules ask about.

The tree is walked with a list and not by recursion: no depth of nesting can end it.
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from nested_ray.analyzers.semantics.places import Places

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_RAISES = re.compile(r"raises|suppress|warns|check_", re.IGNORECASE)
_CATCHES_TYPE_ERROR = {"TypeError", "Exception", "BaseException"}
_OWN_NAMESPACE = re.compile(
    r"\b(?:globals|vars|locals|exec|_convert_|global_enum|_test_simple_enum)\b|sys\.modules\[|__dict__"
)


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


class _Visit(NamedTuple):
    node: ast.AST
    scope: Scope
    is_guarded: bool


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
        waiting = [_Visit(self.tree, self.scope, False)]
        while waiting:
            node, scope, is_guarded = waiting.pop()
            _COLLECT.get(type(node), _nothing)(self, node, scope, is_guarded)
            following = self._children(node, scope, is_guarded)
            following.reverse()
            waiting += following

    def _children(self, node: ast.AST, scope: Scope, is_guarded: bool) -> list[_Visit]:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            return self._children_of_scope(node, scope, is_guarded)
        if isinstance(node, (ast.Try, ast.TryStar, ast.With, ast.AsyncWith)) and _expects(node):
            body = [_Visit(child, scope, True) for child in node.body]
            inner = set(map(id, node.body))
            rest = [c for c in ast.iter_child_nodes(node) if id(c) not in inner]
            return body + [_Visit(child, scope, is_guarded) for child in rest]
        return [_Visit(child, scope, is_guarded) for child in ast.iter_child_nodes(node)]

    def _children_of_scope(self, node: ast.AST, scope: Scope, is_guarded: bool) -> list[_Visit]:
        kind = "class" if isinstance(node, ast.ClassDef) else "function"
        inner = self.scopes[node] = Scope(kind, node, scope)
        body = getattr(node, "body", [])
        own = set(map(id, body if isinstance(body, list) else [body]))
        own.add(id(getattr(node, "args", None)))
        visits: list[_Visit] = []
        for child in ast.iter_child_nodes(node):
            where = inner if id(child) in own else scope
            # A function's body runs later, outside the block that expects an exception.
            guarded = is_guarded and not (where is inner and kind == "function")
            visits.append(_Visit(child, where, guarded))
        return visits

    @cached_property
    def _extents(self) -> list[tuple[int, int, str]]:
        """First and last row of every definition and its qualified name, in order."""
        found: list[tuple[int, int, str]] = []
        names: dict[Scope, str] = {self.scope: ""}
        for node, scope in self.definitions:
            outer = names.get(scope, "")
            name = names[self.scopes[node]] = f"{outer}.{node.name}" if outer else node.name
            found.append((node.lineno, node.end_lineno or node.lineno, name))
        return sorted(found)

    def symbol_at(self, row: int) -> str:
        """Qualified name of the innermost definition around a row."""
        extents = self._extents
        index = bisect_right(extents, (row, float("inf"), "")) - 1
        # Definitions nest no deeper than CPython's hundred blocks; look no further back than needed.
        for _, end, name in reversed(extents[max(0, index - 200) : index + 1]):
            if end >= row:
                return name
        return ""


def _expects(node: ast.Try | ast.TryStar | ast.With | ast.AsyncWith) -> bool:
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


def _nothing(module: PythonModule, node: ast.AST, scope: Scope, is_guarded: bool) -> None: ...


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
