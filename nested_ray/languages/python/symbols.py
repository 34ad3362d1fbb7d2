"""Python text → scopes, the names they bind, and where these are used; from broken text too."""

from __future__ import annotations

from collections.abc import Callable

from tree_sitter import Node

from nested_ray.languages.base import Span, SymbolTable
from nested_ray.languages.python import scopes
from nested_ray.languages.python.patterns import read_pattern
from nested_ray.languages.python.resolution import Bindings
from nested_ray.languages.python.tree import tree_of
from nested_ray.languages.python.walk import Visit, Walk

_TARGETS = frozenset(
    "pattern_list tuple_pattern list_pattern list_splat_pattern dictionary_splat_pattern tuple list "
    "expression_list list_splat parenthesized_expression as_pattern_target".split()
)
"""Nodes whose parts are written where the whole is."""


def symbols(text: str) -> SymbolTable:
    """The scopes of a text in order, what each one binds, and every plain name with what it means."""
    tree = tree_of(text)
    bindings = Bindings(Span(0, len(text)))
    walk = Walk(tree, bindings)
    if tree.root is not None:
        walk.push([Visit(tree.root, 0)])
    while walk.waiting:
        visit = walk.waiting.pop()
        if visit.role in _BY_ROLE:
            _BY_ROLE[visit.role](walk, visit)
        elif visit.role == "write" and visit.node.type in _TARGETS:
            walk.push_parts(visit, "write")
        else:
            _BY_TYPE.get(visit.node.type, _read_parts)(walk, visit)
    return bindings.table()


def _read_parts(walk: Walk, visit: Visit) -> None:
    walk.push_parts(visit)


def _read_name(walk: Walk, visit: Visit) -> None:
    walk.record(visit.node, visit.scope, "variable" if visit.role == "write" else None)


def _read_owner(walk: Walk, visit: Visit) -> None:
    """`owner.member`: the member is no plain name."""
    walk.push(Visit(child, visit.scope) for child in visit.node.named_children[:1])


def _read_keyword_argument(walk: Walk, visit: Visit) -> None:
    value = visit.node.child_by_field_name("value")
    walk.push([Visit(value, visit.scope)] if value else [])


def _writes(field: str) -> Callable[[Walk, Visit], None]:
    """Reads a node that writes what one of its fields names."""

    def read(walk: Walk, visit: Visit) -> None:
        target = visit.node.child_by_field_name(field)
        walk.push(
            Visit(child, visit.scope, "write" if child == target else "read")
            for child in visit.node.named_children
        )

    return read


def _read_named_expression(walk: Walk, visit: Visit) -> None:
    name = visit.node.child_by_field_name("name")
    if name is not None:
        walk.bindings.leave_comprehension(walk.tree.node_text(name), visit.scope)
    _writes("name")(walk, visit)


def _read_delete(walk: Walk, visit: Visit) -> None:
    walk.push_parts(visit, "write")  # `del x` makes x a name of its scope


def _read_declaration(walk: Walk, visit: Visit) -> None:
    is_global = visit.node.type == "global_statement"
    for name in visit.node.named_children:
        walk.bindings.declare(walk.tree.node_text(name), visit.scope, is_global=is_global)


def _read_import(walk: Walk, visit: Visit) -> None:
    for node in visit.node.children_by_field_name("name"):
        for bound in _bound_by_import(node):
            walk.record(bound, visit.scope, "import")


def _bound_by_import(node: Node) -> list[Node]:
    """`a` of `a.b`, `c` of `a.b as c`."""
    alias = node.child_by_field_name("alias")
    if alias is not None:
        return [alias]
    return node.named_children[:1] if node.type == "dotted_name" else []


def _read_broken(walk: Walk, visit: Visit) -> None:
    """Text that could not be understood; what clearly is a heading still names something."""
    before = ""
    for child in visit.node.children:
        if child.type == "identifier" and before in ("def", "class"):
            walk.record(child, visit.scope, "function" if before == "def" else "class")
        elif child.is_named and before != ".":
            walk.push([Visit(child, visit.scope)])
        before = child.type


_BY_ROLE: dict[str, Callable[[Walk, Visit], None]] = {
    "pattern": read_pattern,
    "parameter": scopes.read_parameter,
    "type parameter": scopes.read_type_parameter,
}
_BY_TYPE: dict[str, Callable[[Walk, Visit], None]] = {
    "identifier": _read_name,
    "attribute": _read_owner,
    "member_type": _read_owner,
    "keyword_argument": _read_keyword_argument,
    "assignment": _writes("left"),
    "augmented_assignment": _writes("left"),
    "for_statement": _writes("left"),
    "for_in_clause": _writes("left"),
    "as_pattern": _writes("alias"),
    "named_expression": _read_named_expression,
    "delete_statement": _read_delete,
    "import_statement": _read_import,
    "import_from_statement": _read_import,
    "future_import_statement": _read_import,
    "global_statement": _read_declaration,
    "nonlocal_statement": _read_declaration,
    "function_definition": scopes.read_function,
    "class_definition": scopes.read_class,
    "lambda": scopes.read_lambda,
    "list_comprehension": scopes.read_comprehension,
    "set_comprehension": scopes.read_comprehension,
    "dictionary_comprehension": scopes.read_comprehension,
    "generator_expression": scopes.read_comprehension,
    "type_alias_statement": scopes.read_type_alias,
    "case_pattern": read_pattern,
    "ERROR": _read_broken,
}
