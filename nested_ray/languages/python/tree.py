"""Python text → one syntax tree for everything that reads broken text too (tree-sitter).

Nodes are never asked for their parents: tree-sitter finds a parent by searching from the root, which
makes long or deep files quadratic.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from time import thread_time

import tree_sitter_python
from tree_sitter import Language, Node, Parser

from nested_ray.languages.base import Span
from nested_ray.languages.python.limits import MAX_CHARS

GRAMMAR = Language(tree_sitter_python.language())

# Bound what a tangled text can cost; ordinary text needs a tenth of it.
_SECONDS, _SECONDS_PER_MB = 2.0, 4.0  # of this thread's CPU
_MAX_ERROR_TOKENS = 20_000
_CHUNK_BYTES = 65_536
_MAX_KEPT_CHARS = 2_000_000


class Tree:
    """The tree of one text. `root` is None where the text is too long or too tangled to be read in time."""

    def __init__(self, text: str) -> None:
        text = text if len(text) <= MAX_CHARS else ""
        self.source = text.encode("utf-8", "surrogatepass")
        self.to_char = _byte_to_char(text, self.source)
        self.root = _parse(self.source) if text else None

    def text(self, start: int, end: int) -> str:
        """The text between two byte offsets."""
        return self.source[start:end].decode("utf-8", "replace")

    def node_text(self, node: Node) -> str:
        return self.text(node.start_byte, node.end_byte)

    def span(self, node: Node) -> Span:
        return Span(self.to_char(node.start_byte), self.to_char(node.end_byte))


class _Trees:
    """The trees of the texts asked for last, of so many characters together."""

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max_chars
        self._trees: OrderedDict[str, Tree] = OrderedDict()
        self._num_chars = 0
        self._lock = threading.Lock()

    def of(self, text: str) -> Tree:
        with self._lock:
            found = self._trees.get(text)
            if found is not None:
                self._trees.move_to_end(text)
                return found
        tree = Tree(text)
        if len(text) <= self._max_chars:
            self._keep(text, tree)
        return tree

    def _keep(self, text: str, tree: Tree) -> None:
        with self._lock:
            if text not in self._trees:
                self._num_chars += len(text)
            self._trees[text] = tree
            while self._num_chars > self._max_chars:
                oldest, _ = self._trees.popitem(last=False)
                self._num_chars -= len(oldest)


tree_of = _Trees(_MAX_KEPT_CHARS).of
"""The tree of a text; asked again for the same text it is not made again."""


def _parse(source: bytes) -> Node | None:
    allowed_s = _SECONDS + _SECONDS_PER_MB * len(source) / 1e6
    deadline = thread_time() + allowed_s

    def is_late(*_: object) -> bool:
        return thread_time() > deadline

    try:
        tree = Parser(GRAMMAR).parse(
            lambda offset, _: source[offset : offset + _CHUNK_BYTES], progress_callback=is_late
        )
    except ValueError:  # stopped
        return None
    return None if _is_tangled(tree.root_node) else tree.root_node


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
