"""Python nodes that open a scope: functions, classes, lambdas, comprehensions, type aliases."""

from __future__ import annotations

from tree_sitter import Node

from nested_ray.languages.base import SymbolKind
from nested_ray.languages.python.walk import Role, Visit, Walk, split_first


def read_function(walk: Walk, visit: Visit) -> None:
    node = visit.node
    name, outer = _define(walk, visit, "function")
    parameters = node.child_by_field_name("parameters")
    inner = walk.open("function", name, (parameters or node).start_byte, node, outer)
    _push_fields(
        walk,
        node,
        {
            "type_parameters": (outer, "type parameter"),
            "parameters": (inner, "parameter"),
            "return_type": (outer, "read"),
        },
        inner,
    )


def read_class(walk: Walk, visit: Visit) -> None:
    node = visit.node
    name, outer = _define(walk, visit, "class")
    colon = next((child for child in node.children if child.type == ":"), node)
    inner = walk.open("class", name, colon.end_byte, node, outer)
    fields: dict[str, tuple[int, Role]] = {
        "type_parameters": (outer, "type parameter"),
        "superclasses": (outer, "read"),
    }
    _push_fields(walk, node, fields, inner)


def read_lambda(walk: Walk, visit: Visit) -> None:
    node = visit.node
    inner = walk.open("function", "lambda", node.start_byte, node, visit.scope)
    _push_fields(walk, node, {"parameters": (inner, "parameter")}, inner)


def read_comprehension(walk: Walk, visit: Visit) -> None:
    inner = walk.open("comprehension", "", visit.node.start_byte, visit.node, visit.scope)
    parts: list[Visit] = []
    is_first = True
    for child in visit.node.named_children:
        if child.type == "for_in_clause" and is_first:
            is_first = False
            # Only the first sequence is evaluated outside.
            left, right = (child.child_by_field_name(field) for field in ("left", "right"))
            parts.extend([Visit(left, inner, "write")] if left else [])
            parts.extend([Visit(right, visit.scope)] if right else [])
        else:
            parts.append(Visit(child, inner))
    walk.push(parts)


def read_type_alias(walk: Walk, visit: Visit) -> None:
    """`type Name[T] = ...`: what stands behind the name is a scope of its own."""
    node = visit.node
    name, parameters = _alias_heading(node)
    if name is None:  # `type(x).y = ...` looks like one to the parser
        for child in node.children[:1]:
            walk.record(child, visit.scope, None)
        walk.push_parts(visit)
        return
    walk.record(name, visit.scope, "variable")
    inner = walk.open("function", walk.tree.node_text(name), name.end_byte, node, visit.scope)
    right = node.child_by_field_name("right")
    parts = [Visit(child, inner, "type parameter") for child in parameters]
    walk.push([*parts, *([Visit(right, inner)] if right else [])])


def _alias_heading(node: Node) -> tuple[Node | None, list[Node]]:
    """Name and type parameters of a type alias; no name where it is none."""
    left = node.child_by_field_name("left")
    heading = next(iter(left.named_children), None) if left else None
    if heading is not None and heading.type == "generic_type":
        return split_first(heading.named_children)
    return (heading if heading and heading.type == "identifier" else None), []


def read_parameter(walk: Walk, visit: Visit) -> None:
    """A parameter belongs to the function; its default and its type are evaluated outside."""
    node, outer = visit.node, walk.bindings.parent(visit.scope)
    if node.type == "identifier":
        walk.record(node, visit.scope, "parameter")
    elif node.type in ("default_parameter", "typed_default_parameter", "typed_parameter"):
        name, others = split_first(node.named_children)
        walk.push(
            [
                *([Visit(name, visit.scope, "parameter")] if name else []),
                *(Visit(child, outer) for child in others),
            ]
        )
    else:
        walk.push_parts(visit, "parameter")


def read_type_parameter(walk: Walk, visit: Visit) -> None:
    """`T`, `*T`, `**T`, and `T: bound` whose bound is read."""
    node = visit.node
    if node.type == "identifier":
        walk.record(node, visit.scope, "variable")
    elif node.type == "constrained_type":
        name, others = split_first(node.named_children)
        walk.push(
            [
                *([Visit(name, visit.scope, "type parameter")] if name else []),
                *(Visit(child, visit.scope) for child in others),
            ]
        )
    else:
        walk.push_parts(visit, "type parameter")


def _define(walk: Walk, visit: Visit, kind: SymbolKind) -> tuple[str, int]:
    """Binds the name of a function or class; gives it and the scope that its heading is read in."""
    node = visit.node
    name_node = node.child_by_field_name("name")
    name = walk.tree.node_text(name_node) if name_node else ""
    if name_node:
        walk.record(name_node, visit.scope, kind)
    parameters = node.child_by_field_name("type_parameters")
    if parameters is None:
        return name, visit.scope
    return name, walk.open("function", name, parameters.start_byte, node, visit.scope)


def _push_fields(walk: Walk, node: Node, by_field: dict[str, tuple[int, Role]], inner: int) -> None:
    """Read the parts of a heading where they belong, everything else inside."""
    parts: list[Visit] = []
    for index, child in enumerate(node.children):
        field = node.field_name_for_child(index)
        if child.is_named and field != "name":
            parts.append(Visit(child, *by_field.get(field or "", (inner, "read"))))
    walk.push(parts)
