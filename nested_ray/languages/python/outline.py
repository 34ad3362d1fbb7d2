"""Python text → what it defines, imports and uses; made from broken text too (tree-sitter).

Queries say what a node is part of; see tree.py for why nodes are not asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node, Query, QueryCursor

from nested_ray.languages.base import Definition, Import, Outline, Reference
from nested_ray.languages.python.tree import GRAMMAR, Tree, tree_of

_QUERY = Query(
    GRAMMAR,
    """
    [(import_statement) (import_from_statement) (future_import_statement)] @import
    [(function_definition) (class_definition)] @definition
    (decorated_definition) @decorated
    (module (expression_statement
      (assignment left: [(identifier) (pattern_list)] @variable)) @statement)
    (identifier) @name
    (function_definition name: (identifier) @bound)
    (class_definition name: (identifier) @bound)
    (assignment left: [(identifier) @bound (pattern_list (identifier) @bound)])
    (keyword_argument name: (identifier) @bound)
    (parameters (identifier) @bound)
    (lambda_parameters (identifier) @bound)
    (typed_parameter . (identifier) @bound)
    (default_parameter name: (identifier) @bound)
    (typed_default_parameter name: (identifier) @bound)
    (list_splat_pattern (identifier) @bound)
    (dictionary_splat_pattern (identifier) @bound)
    (dotted_name (identifier) @bound)
    (aliased_import alias: (identifier) @bound)
    (global_statement (identifier) @bound)
    (nonlocal_statement (identifier) @bound)
    """,
)
_SPACES = re.compile(r"\s+")
_COMMENT = re.compile(r"\s#[^\"']*$")
# Not after a letter, a dot, or what ends a call, an index or a string; a line may follow one that ends so.
_OWNER = re.compile(r"(?<![\w.)\]}\"'])(?<!\.\s)([^\W\d]\w*(?:\s*\.\s*\w+)*+)\s*\.\s*\Z")
_CALL = re.compile(rb"[ \t]*+\(")
_MAX_SIGNATURE_CHARS = 2_000
_MAX_VARIABLE_CHARS = 120
_MAX_QUALIFIER_BYTES = 200
# Bound what a deeply nested text can cost; CPython itself takes 100 blocks and 200 brackets.
_MATCH_LIMIT, _MAX_DEPTH = 1_000, 1_500


def outline(text: str) -> Outline:
    """Imports, functions, methods, classes, module variables, and the names that are used.

    Empty when the text is so tangled that reading it would take many seconds.
    """
    tree = tree_of(text)
    if tree.root is None:
        return Outline()
    found = _capture(tree.root)
    return Outline(
        tuple(_imports(tree, found.get("import", []))),
        tuple(_definitions(tree, found)),
        tuple(_references(tree, found)),
    )


def _capture(root: Node) -> dict[str, list[Node]]:
    """What the query finds, by capture name, in the order of the text."""
    cursor = QueryCursor(_QUERY, match_limit=_MATCH_LIMIT)
    cursor.set_max_start_depth(_MAX_DEPTH)
    found = cursor.captures(root)
    return {name: sorted(nodes, key=lambda n: n.start_byte) for name, nodes in found.items()}


def _imports(tree: Tree, nodes: list[Node]) -> Iterator[Import]:
    """One import per module: `import a, b` names two."""
    for node in nodes:
        named = [_imported(tree, child) for child in node.children_by_field_name("name")]
        span = tree.span(node)
        if node.type == "import_statement":
            for module, alias in named:
                yield Import(module, (alias or module.split(".")[0],), span)
            continue
        module_node = node.child_by_field_name("module_name")
        is_future = node.type == "future_import_statement"
        module = tree.node_text(module_node) if module_node else "__future__" * is_future
        yield Import(module, tuple(alias or name for name, alias in named), span)


def _imported(tree: Tree, node: Node) -> tuple[str, str]:
    name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
    return tree.node_text(name or node), tree.node_text(alias) if alias else ""


def _definitions(tree: Tree, captures: dict[str, list[Node]]) -> Iterator[Definition]:
    outer: dict[int, Node] = {}
    for decorated in captures.get("decorated", []):
        inner = decorated.child_by_field_name("definition")
        if inner:
            outer[inner.start_byte] = decorated
    found = [*_scoped(tree, captures.get("definition", []), outer), *_variables(tree, captures)]
    return iter(sorted(found, key=lambda definition: definition.span.start))


def _scoped(tree: Tree, nodes: list[Node], outer: dict[int, Node]) -> Iterator[Definition]:
    """Functions and classes; `nodes` come in order, so what encloses them is on a stack."""
    enclosing: list[tuple[int, str, str]] = []  # (end, kind, name)
    for node in nodes:
        while enclosing and enclosing[-1][0] <= node.start_byte:
            enclosing.pop()
        name_node, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name_node is None:
            continue
        _, scope_kind, scope_name = enclosing[-1] if enclosing else (0, "", "")
        name = tree.node_text(name_node)
        kind = "class" if node.type == "class_definition" else "function"
        heading = tree.text(node.start_byte, body.start_byte if body else node.end_byte)
        yield Definition(
            name=name,
            kind="method" if kind == "function" and scope_kind == "class" else kind,
            signature=_signature(heading),
            span=tree.span(outer.get(node.start_byte, node)),
            parent=scope_name or None,
            exported=not name.startswith("_"),
            doc=_doc(tree, body),
        )
        enclosing.append((node.end_byte, kind, name))


def _signature(heading: str) -> str:
    lines = (_COMMENT.sub("", line) for line in heading.splitlines())
    joined = _SPACES.sub(" ", " ".join(lines)).strip().removesuffix(":").rstrip()
    joined = joined.replace("( ", "(").replace(" )", ")").replace(",)", ")")
    return joined[:_MAX_SIGNATURE_CHARS]


def _doc(tree: Tree, body: Node | None) -> str:
    first = body.named_child(0) if body and body.named_child_count else None
    string = first.named_child(0) if first and first.type == "expression_statement" else first
    if string is None or string.type != "string":
        return ""
    content = next((child for child in string.children if child.type == "string_content"), None)
    lines = tree.node_text(content).strip().splitlines() if content else []
    return lines[0].strip() if lines else ""


def _variables(tree: Tree, captures: dict[str, list[Node]]) -> Iterator[Definition]:
    targets = captures.get("variable", [])
    for statement, target in zip(captures.get("statement", []), targets, strict=False):
        signature = _SPACES.sub(" ", tree.node_text(statement)).strip()
        if len(signature) > _MAX_VARIABLE_CHARS:
            signature = signature[: _MAX_VARIABLE_CHARS - 3] + "..."
        nodes = target.children if target.type == "pattern_list" else [target]
        for name in (tree.node_text(node) for node in nodes if node.type == "identifier"):
            exported = not name.startswith("_")
            yield Definition(name, "variable", signature, tree.span(statement), None, exported)


def _references(tree: Tree, captures: dict[str, list[Node]]) -> Iterator[Reference]:
    bound = {node.start_byte for node in captures.get("bound", [])}
    for node in captures.get("name", []):
        start, end = node.start_byte, node.end_byte
        if start not in bound:
            name, qualifier = tree.text(start, end), _qualifier(tree, start)
            yield Reference(name, qualifier, tree.to_char(start), _is_called(tree, end))


def _qualifier(tree: Tree, start: int) -> str | None:
    """The dotted name before a member: `a.b` of `a.b.c`; None after a call or an index."""
    before = tree.source[max(0, start - _MAX_QUALIFIER_BYTES) : start]
    if not before.rstrip().endswith(b"."):
        return None
    match = _OWNER.search(before.decode("utf-8", "replace"))
    return _SPACES.sub("", match[1]) if match else None


def _is_called(tree: Tree, end: int) -> bool:
    """Whether an argument list follows the name that ends there."""
    return _CALL.match(tree.source, end) is not None
