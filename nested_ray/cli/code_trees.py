"""Outlines, symbols and tokens of a file as a person reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.text import Text
from rich.tree import Tree

from nested_ray.cli.code_files import CodeFile
from nested_ray.languages.base import Span
from nested_ray.languages.bsl.queries import Query

_MAX_NAMES = 40


def outline_tree(code: CodeFile) -> Tree:
    """Imports, then definitions inside each other."""
    outline = code.language.outline(code.text)
    place = _Places(code.text)
    tree = Tree(Text(code.path, style="bold"))
    if outline.imports:
        branch = tree.add(Text(f"imports ({len(outline.imports)})"))
        for each in outline.imports:
            names = f": {', '.join(each.names)}" if each.names else ""
            branch.add(place.before(each.span, f"{each.module}{names}"))
    open_branches: list[tuple[int, Tree]] = [(len(code.text) + 1, tree)]
    for each in outline.definitions:
        while len(open_branches) > 1 and open_branches[-1][0] <= each.span.start:
            open_branches.pop()
        label = f"{each.kind} {each.signature}"
        branch = open_branches[-1][1].add(place.before(each.span, label))
        open_branches.append((each.span.end, branch))
    calls = Counter(each.name for each in outline.references if each.is_call)
    if calls:
        tree.add(
            Text(_names("calls", [f"{n}×{c}" if c > 1 else n for n, c in calls.most_common()]))
        )
    return tree


def symbol_tree(code: CodeFile) -> Tree:
    """Scopes inside each other, with what they bind and how often it is used."""
    table = code.language.symbols(code.text)
    place = _Places(code.text)
    uses = Counter(use.symbol for use in table.uses)
    branches: list[Tree] = []
    tree = Tree(Text(code.path, style="bold"))
    for scope in table.scopes:
        parent = branches[scope.parent] if scope.parent is not None else tree
        branches.append(parent.add(place.before(scope.span, f"{scope.kind} {scope.name}".rstrip())))
    for index, symbol in enumerate(table.symbols):
        num_uses = uses[index]
        label = f"{symbol.kind} {symbol.name}, used {num_uses} time{'s' * (num_uses != 1)}"
        branches[symbol.scope].add(place.before(symbol.span, label))
    free = Counter(use.name for use in table.uses if use.symbol is None)
    if free:
        tree.add(Text(_names("bound elsewhere", list(free))))
    return tree


def query_tree(code: CodeFile, queries: Sequence[Query]) -> Tree:
    """Queries with the tables they read and the parameters they need."""
    place = _Places(code.text)
    count = f"{len(queries)} quer{'y' if len(queries) == 1 else 'ies'}"
    tree = Tree(Text(f"{code.path}: {count}", style="bold"))
    for query in queries:
        label = "part of a query" if query.is_part else "query"
        branch = tree.add(
            place.before(query.span, f"{label}, {query.text.count(chr(10)) + 1} lines")
        )
        for title, names in (
            ("tables", [table.name for table in query.tables]),
            ("creates", [name.name for name in query.created]),
            ("parameters", [name.name for name in query.parameters]),
        ):
            if names:
                branch.add(Text(_names(title, list(dict.fromkeys(names)))))
        if query.issue:
            branch.add(Text(f"broken: {query.issue.message}"))
    return tree


def token_lines(code: CodeFile) -> Iterator[str]:
    """`line:column kind text`, one token a line."""
    place = _Places(code.text)
    for token in code.language.tokens(code.text):
        text = code.text[token.span.start : token.span.end]
        yield f"{place.at(token.span.start):>10}  {token.kind.value:<12}{_on_one_line(text)}"


class _Places:
    """`line:column` of offsets that mostly grow."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._offset, self._line = 0, 1

    def at(self, offset: int) -> str:
        if offset < self._offset:
            self._offset, self._line = 0, 1
        self._line += self._text.count("\n", self._offset, offset)
        self._offset = offset
        return f"{self._line}:{offset - self._text.rfind(chr(10), 0, offset)}"

    def before(self, span: Span, label: str) -> Text:
        return Text.assemble((f"{self.at(span.start)} ", "dim"), label)


def _names(title: str, names: list[str]) -> str:
    more = f" … {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"{title} ({len(names)}): {', '.join(names[:_MAX_NAMES])}{more}"


def _on_one_line(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]
