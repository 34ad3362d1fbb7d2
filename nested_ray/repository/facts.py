"""What one file says of itself, read once and kept: definitions, imports, and uses that may lead to other files."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nested_ray.languages import get_language
from nested_ray.languages.base import Definition, Import, Outline, Reference, Span
from nested_ray.repository import uses_bsl, uses_python
from nested_ray.repository.bindings import Binding


class Uses(NamedTuple):
    """The places where a name is used that may be defined in another file, in three columns.

    There are a hundred thousand places in a code base, and most are asked for once.
    """

    offsets: list[int]
    kinds: str
    """A letter for each: `c` call, `u` use, `i` inherit."""
    definitions: list[int]
    """Index of the innermost definition around each; -1 at module level."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """The part of a file's outline that links are made of; small enough to hold for every file."""

    definitions: tuple[Definition, ...]
    imports: tuple[Import, ...]
    bindings: dict[str, tuple[Binding, ...]]
    """What imports make of names; more than one where a name is imported twice."""
    uses: dict[str, Uses]
    """By dotted name (`module.function`) as written."""


def read_file(language_name: str, text: str) -> tuple[bytes, bytes]:
    """Facts and outline of one text, packed."""
    language = get_language(language_name)
    outline = language.outline(text)
    read = uses_bsl.read_uses if language_name == "bsl" else uses_python.read_uses
    bindings, uses = read(text, outline, language)
    return pack_facts(outline, bindings, uses), pack_references(outline.references)


def pack(values: Any) -> bytes:
    content = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    return zlib.compress(content, 1)


def unpack(packed: bytes) -> Any:
    """Raises ValueError for bytes that `pack` did not write."""
    try:
        return json.loads(zlib.decompress(packed).decode("utf-8", "surrogatepass"))
    except (zlib.error, RecursionError) as exc:
        raise ValueError(f"damaged: {exc}") from exc


def pack_facts(
    outline: Outline,
    bindings: dict[str, tuple[Binding, ...]],
    uses: Mapping[str, list[tuple[int, str, int]]],
) -> bytes:
    return pack([
        [
            [d.name, d.kind, d.signature, d.span.start, d.span.end, d.parent, d.exported, d.doc]
            for d in outline.definitions
        ],
        [[i.module, i.names, i.span.start, i.span.end] for i in outline.imports],
        bindings,
        {name: in_columns(found) for name, found in uses.items()},
    ])  # fmt: skip


def in_columns(uses: Iterable[tuple[int, str, int]]) -> Uses:
    """(offset, kind, definition) of each place, the other way round."""
    offsets, kinds, definitions = zip(*uses, strict=True)
    return Uses(list(offsets), "".join(kinds), list(definitions))


def unpack_facts(packed: bytes) -> FileFacts:
    """Raises ValueError for bytes that are not facts."""
    try:
        definitions, imports, bindings, uses = unpack(packed)
        return FileFacts(
            definitions=tuple(_definition(fields) for fields in definitions),
            imports=tuple(Import(m, tuple(names), Span(a, b)) for m, names, a, b in imports),
            bindings={
                name: tuple(Binding(*each) for each in found) for name, found in bindings.items()
            },
            uses={name: Uses(*columns) for name, columns in uses.items()},
        )
    except (TypeError, AttributeError) as exc:
        raise ValueError(f"not the facts of a file: {exc}") from exc


def _definition(fields: list[Any]) -> Definition:
    name, kind, signature, start, end, parent, exported, doc = fields
    return Definition(name, kind, signature, Span(start, end), parent, exported, doc)


def pack_references(references: Iterable[Reference]) -> bytes:
    """Names once, then one row of numbers per place: most names are used many times."""
    names: dict[str, int] = {}
    rows: list[int] = []
    previous = 0
    for reference in references:
        qualifier = reference.qualifier
        rows.append(names.setdefault(reference.name, len(names)))
        rows.append(-1 if qualifier is None else names.setdefault(qualifier, len(names)))
        rows.append((reference.offset - previous) * 2 + reference.is_call)
        previous = reference.offset
    return pack([list(names), rows])


def unpack_references(packed: bytes) -> tuple[Reference, ...]:
    """Raises ValueError for bytes that are not references."""
    try:
        names, rows = unpack(packed)
        found: list[Reference] = []
        offset = 0
        for name, qualifier, step in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
            offset += step >> 1
            owner = None if qualifier < 0 else names[qualifier]
            found.append(Reference(names[name], owner, offset, bool(step & 1)))
        return tuple(found)
    except (TypeError, IndexError) as exc:
        raise ValueError(f"not the references of a file: {exc}") from exc
