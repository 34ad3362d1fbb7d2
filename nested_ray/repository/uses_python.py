"""Uses of imported names in a Python file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from nested_ray.languages.base import Definition, Language, Outline, Reference
from nested_ray.repository.bindings import STAR, Binding, bindings_of, merge
from nested_ray.repository.enclosing import Enclosing

CLASS_HEADING = re.compile(r"\bclass\s+\w+\s*\(")
MAX_HEADING_CHARS = 4_000
MAX_DECORATION_CHARS = 4_000


def read_uses(
    text: str, outline: Outline, language: Language
) -> tuple[dict[str, tuple[Binding, ...]], dict[str, list[tuple[int, str, int]]]]:
    """What imports bind, and the places that use what they bind, by dotted name."""
    bindings = merge(
        bindings_of(statement, text[statement.span.start : statement.span.end])
        for statement in outline.imports
    )
    wanted = set(bindings)
    own = {definition.name for definition in outline.definitions if definition.parent is None}
    takes_any = STAR in bindings
    hidden = shadowed_offsets(text, wanted, language) if outline.imports else frozenset[int]()
    bases = base_offsets(text, outline.definitions, outline.references)
    enclosing = Enclosing(outline.definitions)
    uses: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    for reference in sorted(outline.references, key=lambda found: found.offset):
        head = (reference.qualifier or reference.name).partition(".")[0]
        if head not in wanted and not (
            takes_any and head not in own and head not in language.builtins
        ):
            continue
        name = f"{reference.qualifier}.{reference.name}" if reference.qualifier else reference.name
        if reference.offset + len(reference.name) - len(name) in hidden:
            continue
        kind = "i" if reference.offset in bases else "c" if reference.is_call else "u"
        uses[name].append((reference.offset, kind, enclosing.of(reference.offset)))
    return bindings, uses


def shadowed_offsets(text: str, wanted: set[str], language: Language) -> frozenset[int]:
    """Where a name that is also imported means something bound nearer: a parameter, a local variable."""
    table = language.symbols(text)
    imported = {index for index, symbol in enumerate(table.symbols) if symbol.kind == "import"}
    return frozenset(
        use.span.start
        for use in table.uses
        if use.name in wanted and use.symbol is not None and use.symbol not in imported
    )


def base_offsets(
    text: str, definitions: Sequence[Definition], references: Sequence[Reference]
) -> frozenset[int]:
    """Where the bases of classes are named: outside inner brackets and without `name=` before."""
    found: set[int] = set()
    for definition in definitions:
        if definition.kind == "class":
            found.update(_bases(text, definition))
    offsets = {reference.offset for reference in references}
    return frozenset(found & offsets)


def _bases(text: str, definition: Definition) -> set[int]:
    start = definition.span.start
    heading = CLASS_HEADING.search(text, start, start + MAX_DECORATION_CHARS)
    if heading is None:
        return set()
    found: set[int] = set()
    depth, last, is_keyword = 1, -1, False
    for match in re.finditer(
        r"[^\W\d]\w*|[\[\](){},=]|\S", text[heading.end() : heading.end() + MAX_HEADING_CHARS]
    ):
        mark = match[0]
        if mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth -= 1
        if depth == 1 and mark == "=":
            is_keyword = True
        if (depth == 1 and mark == ",") or depth == 0:
            if last >= 0 and not is_keyword:
                found.add(last)
            last, is_keyword = -1, False
        if depth == 0:
            break
        if depth == 1 and (mark[0].isalpha() or mark[0] == "_"):
            last = heading.end() + match.start()
    return found
