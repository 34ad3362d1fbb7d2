"""A pass over a Python tree in the order of the text; a list takes the place of recursion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tree_sitter import Node

from nested_ray.languages.base import ScopeKind, Span, SymbolKind
from nested_ray.languages.python.resolution import Bindings
from nested_ray.languages.python.tree import Tree

Role = Literal["read", "write", "pattern", "parameter", "type parameter"]
"""What a name does that stands directly in a node."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A node to be read, and the scope it is read in."""

    node: Node
    scope: int
    role: Role = "read"


def split_first(nodes: list[Node]) -> tuple[Node | None, list[Node]]:
    """The first node and the others."""
    return (nodes[0] if nodes else None), nodes[1:]


class Walk:
    """What is still to be read of a tree, and what was found so far."""

    def __init__(self, tree: Tree, bindings: Bindings) -> None:
        self.tree = tree
        self.bindings = bindings
        self.waiting: list[Visit] = []

    def push(self, visits: Iterable[Visit]) -> None:
        """Read these next, in order."""
        self.waiting.extend(reversed(list(visits)))

    def push_parts(self, visit: Visit, role: Role = "read") -> None:
        self.push(Visit(child, visit.scope, role) for child in visit.node.named_children)

    def record(self, node: Node, scope: int, kind: SymbolKind | None) -> None:
        """A name stands here; with a kind it is bound here."""
        if node.end_byte > node.start_byte:  # the parser makes up names that are missing
            self.bindings.use(self.tree.node_text(node), self.tree.span(node), scope, kind)

    def open(self, kind: ScopeKind, name: str, start: int, node: Node, parent: int) -> int:
        """A scope from a byte offset to the end of a node; gives its index."""
        span = Span(self.tree.to_char(start), self.tree.to_char(node.end_byte))
        return self.bindings.open(kind, name, span, parent, name if kind == "class" else "")
