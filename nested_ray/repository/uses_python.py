"""Uses of imported names in a Python file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from nested_ray.languages.base import Definition, Language, Outline, Reference
from nested_ray.repository.bindings import STAR, Binding, bindings_of, merge
from nested_ray.repository.enclosing import Enclosing

CLASS_HEADING = re.compile(r"\bclass\s+\w+\s*(?:\[[^\]]*\]\s*)?(\(|:)")
HEADING_PART = re.compile(r"[^\W\d]\w*|\S")
OPENING, CLOSING = frozenset("([{"), frozenset(")]}")
MAX_HEADING_CHARS = 4_000


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
    starts = [each.span.start for each in definitions if each.kind == "class"]
    found: set[int] = set()
    for start, following in pairwise([*starts, len(text)]):
        # No heading reaches the next class, so however broken the text, each character is read once.
        found.update(_bases(text, start, min(following, start + MAX_HEADING_CHARS)))
    return frozenset(found & {reference.offset for reference in references})


def _bases(text: str, start: int, end: int) -> Iterator[int]:
    """Offsets of the last names of the bases of the class whose heading stands between the two."""
    heading = CLASS_HEADING.search(text, start, end)
    if heading is None or heading[1] == ":":
        return
    depth, last, is_keyword = 1, -1, False
    for match in HEADING_PART.finditer(text, heading.end(), end):
        mark = match[0]
        if depth == 1 and mark in ",)":
            if last >= 0 and not is_keyword:
                yield last
            last, is_keyword = -1, False
        depth += (mark in OPENING) - (mark in CLOSING)
        if depth == 0:
            return
        if depth == 1 and mark == "=":
            is_keyword = True
        elif depth == 1 and (mark[0].isalpha() or mark[0] == "_"):
            last = match.start()
