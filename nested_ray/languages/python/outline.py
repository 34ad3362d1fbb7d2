"""Python text → what it defines, imports and uses; made from broken text too (tree-sitter).

Nodes are never asked for their parents: tree-sitter finds a parent by searching from the root, which
makes long or deep files quadratic. Queries say what a node is part of.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from time import thread_time

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Query, QueryCursor

from nested_ray.languages.base import Definition, Import, Outline, Reference, Span

_GRAMMAR = Language(tree_sitter_python.language())
_QUERY = Query(
    _GRAMMAR,
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
# Not after a letter, a dot, or what ends a call, an index or a string.
_OWNER = re.compile(r"(?<![\w.)\]}\"'])(?<![.)\]}\"']\s)([^\W\d]\w*(?:\s*\.\s*\w+)*+)\s*\.\s*\Z")
_CALL = re.compile(rb"[ \t]*+\(")
_MAX_SIGNATURE_CHARS = 2_000
_MAX_VARIABLE_CHARS = 120
_MAX_QUALIFIER_BYTES = 200
# Bound what a deeply nested text can cost; CPython itself takes 100 blocks and 200 brackets.
_MATCH_LIMIT, _MAX_DEPTH = 1_000, 1_500
_SECONDS, _SECONDS_PER_MB = 2.0, 4.0  # of this thread's CPU; ordinary text needs a tenth of it
_MAX_ERROR_TOKENS = 20_000
_CHUNK_BYTES = 65_536


def outline(text: str) -> Outline:
    """Imports, functions, methods, classes, module variables, and the names that are used.

    Empty when the text is so tangled that reading it would take many seconds.
    """
    source = text.encode("utf-8", "surrogatepass")
    found = _capture(source)
    file = _File(source, _byte_to_char(text, source))
    return Outline(
        tuple(_imports(file, found.get("import", []))),
        tuple(_definitions(file, found)),
        tuple(_references(file, found)),
    )


def _capture(source: bytes) -> dict[str, list[Node]]:
    """What the query finds, by capture name, in the order of the text."""
    allowed_s = _SECONDS + _SECONDS_PER_MB * len(source) / 1e6
    deadline = thread_time() + allowed_s

    def is_late(*_: object) -> bool:
        return thread_time() > deadline

    try:
        tree = Parser(_GRAMMAR).parse(
            lambda offset, _: source[offset : offset + _CHUNK_BYTES], progress_callback=is_late
        )
    except ValueError:  # stopped
        return {}
    if _is_tangled(tree.root_node):
        return {}
    cursor = QueryCursor(_QUERY, match_limit=_MATCH_LIMIT)
    cursor.set_max_start_depth(_MAX_DEPTH)
    found = cursor.captures(tree.root_node)
    return {name: sorted(nodes, key=lambda n: n.start_byte) for name, nodes in found.items()}


def _is_tangled(root: Node) -> bool:
    """Whether an error spans so many tokens that a query, quadratic in them, would not end soon."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type == "ERROR" and node.child_count > _MAX_ERROR_TOKENS:
            return True
        waiting.extend(child for child in node.children if child.has_error)
    return False


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


class _File:
    """The bytes of one text and how to read nodes from them."""

    def __init__(self, source: bytes, to_char: Callable[[int], int]) -> None:
        self._source = source
        self.to_char = to_char

    def text(self, start: int, end: int) -> str:
        return self._source[start:end].decode("utf-8", "replace")

    def node_text(self, node: Node) -> str:
        return self.text(node.start_byte, node.end_byte)

    def qualifier(self, start: int) -> str | None:
        """The dotted name before a member: `a.b` of `a.b.c`; None after a call or an index."""
        before = self._source[max(0, start - _MAX_QUALIFIER_BYTES) : start]
        if not before.rstrip().endswith(b"."):
            return None
        match = _OWNER.search(before.decode("utf-8", "replace"))
        return _SPACES.sub("", match[1]) if match else None

    def is_called(self, end: int) -> bool:
        """Whether an argument list follows the name that ends there."""
        return _CALL.match(self._source, end) is not None

    def span(self, node: Node) -> Span:
        return Span(self.to_char(node.start_byte), self.to_char(node.end_byte))


def _imports(file: _File, nodes: list[Node]) -> Iterator[Import]:
    """One import per module: `import a, b` names two."""
    for node in nodes:
        named = [_imported(file, child) for child in node.children_by_field_name("name")]
        span = file.span(node)
        if node.type == "import_statement":
            for module, alias in named:
                yield Import(module, (alias or module.split(".")[0],), span)
            continue
        module_node = node.child_by_field_name("module_name")
        is_future = node.type == "future_import_statement"
        module = file.node_text(module_node) if module_node else "__future__" * is_future
        yield Import(module, tuple(alias or name for name, alias in named), span)


def _imported(file: _File, node: Node) -> tuple[str, str]:
    name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
    return file.node_text(name or node), file.node_text(alias) if alias else ""


def _definitions(file: _File, captures: dict[str, list[Node]]) -> Iterator[Definition]:
    outer: dict[int, Node] = {}
    for decorated in captures.get("decorated", []):
        inner = decorated.child_by_field_name("definition")
        if inner:
            outer[inner.start_byte] = decorated
    found = [*_scoped(file, captures.get("definition", []), outer), *_variables(file, captures)]
    return iter(sorted(found, key=lambda definition: definition.span.start))


def _scoped(file: _File, nodes: list[Node], outer: dict[int, Node]) -> Iterator[Definition]:
    """Functions and classes; `nodes` come in order, so what encloses them is on a stack."""
    enclosing: list[tuple[int, str, str]] = []  # (end, kind, name)
    for node in nodes:
        while enclosing and enclosing[-1][0] <= node.start_byte:
            enclosing.pop()
        name_node, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name_node is None:
            continue
        _, scope_kind, scope_name = enclosing[-1] if enclosing else (0, "", "")
        name = file.node_text(name_node)
        kind = "class" if node.type == "class_definition" else "function"
        heading = file.text(node.start_byte, body.start_byte if body else node.end_byte)
        yield Definition(
            name=name,
            kind="method" if kind == "function" and scope_kind == "class" else kind,
            signature=_signature(heading),
            span=file.span(outer.get(node.start_byte, node)),
            parent=scope_name or None,
            exported=not name.startswith("_"),
            doc=_doc(file, body),
        )
        enclosing.append((node.end_byte, kind, name))


def _signature(heading: str) -> str:
    lines = (_COMMENT.sub("", line) for line in heading.splitlines())
    joined = _SPACES.sub(" ", " ".join(lines)).strip().removesuffix(":").rstrip()
    joined = joined.replace("( ", "(").replace(" )", ")").replace(",)", ")")
    return joined[:_MAX_SIGNATURE_CHARS]


def _doc(file: _File, body: Node | None) -> str:
    first = body.named_child(0) if body and body.named_child_count else None
    string = first.named_child(0) if first and first.type == "expression_statement" else first
    if string is None or string.type != "string":
        return ""
    content = next((child for child in string.children if child.type == "string_content"), None)
    lines = file.node_text(content).strip().splitlines() if content else []
    return lines[0].strip() if lines else ""


def _variables(file: _File, captures: dict[str, list[Node]]) -> Iterator[Definition]:
    targets = captures.get("variable", [])
    for statement, target in zip(captures.get("statement", []), targets, strict=False):
        signature = _SPACES.sub(" ", file.node_text(statement)).strip()
        if len(signature) > _MAX_VARIABLE_CHARS:
            signature = signature[: _MAX_VARIABLE_CHARS - 3] + "..."
        nodes = target.children if target.type == "pattern_list" else [target]
        for name in (file.node_text(node) for node in nodes if node.type == "identifier"):
            exported = not name.startswith("_")
            yield Definition(name, "variable", signature, file.span(statement), None, exported)


def _references(file: _File, captures: dict[str, list[Node]]) -> Iterator[Reference]:
    bound = {node.start_byte for node in captures.get("bound", [])}
    for node in captures.get("name", []):
        start, end = node.start_byte, node.end_byte
        if start not in bound:
            name, qualifier = file.text(start, end), file.qualifier(start)
            yield Reference(name, qualifier, file.to_char(start), file.is_called(end))
