"""Python text → what it defines, imports and uses; made from broken text too (tree-sitter)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Query, QueryCursor

from nested_ray.languages.base import Definition, Import, Outline, Reference, Span

_GRAMMAR = Language(tree_sitter_python.language())
_IMPORTS = Query(
    _GRAMMAR,
    "[(import_statement) (import_from_statement) (future_import_statement)] @import",
)
_DEFINITIONS = Query(
    _GRAMMAR,
    """
    [(function_definition) (class_definition)] @definition
    (module (expression_statement (assignment left: (identifier) @variable)))
    (module (expression_statement (assignment left: (pattern_list (identifier) @variable))))
    """,
)
_NAMES = Query(_GRAMMAR, "(identifier) @name")
_SPACES = re.compile(r"\s+")
_SCOPES = ("function_definition", "class_definition")
_MAX_SIGNATURE_CHARS = 2_000
# An identifier in one of these fields of these nodes is bound or a label, not used.
_BINDING_FIELDS = {
    ("function_definition", "name"),
    ("class_definition", "name"),
    ("keyword_argument", "name"),
    ("default_parameter", "name"),
    ("typed_default_parameter", "name"),
    ("assignment", "left"),
}
_BINDING_PARENTS = {
    "parameters",
    "pattern_list",
    "tuple_pattern",
    "lambda_parameters",
    "typed_parameter",
    "list_splat_pattern",
    "dictionary_splat_pattern",
    "dotted_name",
    "aliased_import",
    "global_statement",
    "nonlocal_statement",
}


def outline(text: str) -> Outline:
    """Imports, functions, methods, classes, module variables, and the names that are used."""
    source = text.encode("utf-8", "surrogatepass")
    root = Parser(_GRAMMAR).parse(source).root_node
    to_char = _byte_to_char(text, source)
    file = _File(source, to_char)
    return Outline(
        tuple(
            found
            for node in _captured(_IMPORTS, root, "import")
            for found in file.read_imports(node)
        ),
        tuple(_definitions(file, root)),
        tuple(_references(file, root)),
    )


def _byte_to_char(text: str, source: bytes) -> Callable[[int], int]:
    """Turns byte offsets of the UTF-8 form into character offsets."""
    if len(text) == len(source):
        return lambda offset: offset
    # Byte offset after each non-ASCII character, and how many bytes more than characters so far.
    ends: list[int] = [0]
    surplus: list[int] = [0]
    for match in re.finditer(r"[^\x00-\x7f]", text):
        extra = len(match[0].encode("utf-8", "surrogatepass")) - 1
        ends.append(match.start() + surplus[-1] + extra + 1)
        surplus.append(surplus[-1] + extra)
    return lambda offset: offset - surplus[bisect_right(ends, offset) - 1]


def _captured(query: Query, root: Node, name: str) -> list[Node]:
    return sorted(QueryCursor(query).captures(root).get(name, []), key=lambda n: n.start_byte)


class _File:
    """The bytes of one text and how to read nodes from them."""

    def __init__(self, source: bytes, to_char: Callable[[int], int]) -> None:
        self._source = source
        self.to_char = to_char

    def text(self, start: int, end: int) -> str:
        return self._source[start:end].decode("utf-8", "replace")

    def node_text(self, node: Node) -> str:
        return self.text(node.start_byte, node.end_byte)

    def span(self, node: Node) -> Span:
        return Span(self.to_char(node.start_byte), self.to_char(node.end_byte))

    def read_imports(self, node: Node) -> Iterator[Import]:
        """One import per module: `import a, b` names two."""
        named = [self._imported(child) for child in node.children_by_field_name("name")]
        span = self.span(node)
        if node.type == "import_statement":
            for module, alias in named:
                yield Import(module, (alias or module.split(".")[0],), span)
            return
        module_node = node.child_by_field_name("module_name")
        is_future = node.type == "future_import_statement"
        module = self.node_text(module_node) if module_node else "__future__" * is_future
        yield Import(module, tuple(alias or name for name, alias in named), span)

    def _imported(self, node: Node) -> tuple[str, str]:
        name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
        return self.node_text(name or node), self.node_text(alias) if alias else ""


def _definitions(file: _File, root: Node) -> Iterator[Definition]:
    captures = QueryCursor(_DEFINITIONS).captures(root)
    found = [(node, _definition) for node in captures.get("definition", [])]
    found += [(node, _variable) for node in captures.get("variable", [])]
    for node, read in sorted(found, key=lambda pair: pair[0].start_byte):
        definition = read(file, node)
        if definition is not None:
            yield definition


def _definition(file: _File, node: Node) -> Definition | None:
    name_node = node.child_by_field_name("name")
    body = node.child_by_field_name("body")
    if name_node is None:
        return None
    scope = _enclosing_scope(node)
    scope_name = scope.child_by_field_name("name") if scope else None
    is_class = node.type == "class_definition"
    in_class = scope is not None and scope.type == "class_definition"
    heading_end = body.start_byte if body else node.end_byte
    name = file.node_text(name_node)
    outer = node.parent if node.parent and node.parent.type == "decorated_definition" else node
    return Definition(
        name=name,
        kind="class" if is_class else "method" if in_class else "function",
        signature=_signature(file.text(node.start_byte, heading_end)),
        span=file.span(outer),
        parent=file.node_text(scope_name) if scope_name else None,
        exported=not name.startswith("_"),
        doc=_doc(file, body),
    )


def _enclosing_scope(node: Node) -> Node | None:
    parent = node.parent
    while parent is not None and parent.type not in _SCOPES:
        parent = parent.parent
    return parent


def _signature(heading: str) -> str:
    lines = (re.sub(r"\s#[^\"']*$", "", line) for line in heading.splitlines())
    joined = _SPACES.sub(" ", " ".join(lines)).strip().removesuffix(":").rstrip()
    return joined.replace("( ", "(").replace(" )", ")").replace(",)", ")")[:_MAX_SIGNATURE_CHARS]


def _doc(file: _File, body: Node | None) -> str:
    first = body.named_child(0) if body and body.named_child_count else None
    string = first.named_child(0) if first and first.type == "expression_statement" else first
    if string is None or string.type != "string":
        return ""
    content = next((child for child in string.children if child.type == "string_content"), None)
    lines = file.node_text(content).strip().splitlines() if content else []
    return lines[0].strip() if lines else ""


def _variable(file: _File, node: Node) -> Definition:
    statement = node
    while statement.parent is not None and statement.type != "expression_statement":
        statement = statement.parent
    name = file.node_text(node)
    signature = _SPACES.sub(" ", file.node_text(statement)).strip()
    return Definition(
        name=name,
        kind="variable",
        signature=signature if len(signature) <= 120 else signature[:117] + "...",
        span=file.span(statement),
        exported=not name.startswith("_"),
    )


def _references(file: _File, root: Node) -> Iterator[Reference]:
    for node in _captured(_NAMES, root, "name"):
        parent = node.parent
        if parent is None or parent.type in _BINDING_PARENTS:
            continue
        qualifier, called = None, parent
        field = _field_of(parent, node)
        if (parent.type, field) in _BINDING_FIELDS:
            continue
        expression = node
        if parent.type == "attribute" and field == "attribute":
            owner = parent.child_by_field_name("object")
            qualifier = _dotted(file, owner)
            expression, called = parent, parent.parent
        function = called.child_by_field_name("function") if called else None
        is_call = function is not None and function.id == expression.id
        yield Reference(file.node_text(node), qualifier, file.to_char(node.start_byte), is_call)


def _field_of(parent: Node, node: Node) -> str | None:
    for field in ("name", "attribute", "left"):
        child = parent.child_by_field_name(field)
        if child is not None and child.id == node.id:
            return field
    return None


def _dotted(file: _File, owner: Node | None) -> str | None:
    """`a.b` of `a.b.c`; None when the owner is a call, an index or a literal."""
    inner = owner
    while inner is not None and inner.type == "attribute":
        inner = inner.child_by_field_name("object")
    if owner is None or inner is None or inner.type != "identifier":
        return None
    return _SPACES.sub("", file.node_text(owner))
