"""Calls in a BSL or OneScript module that may lead to other modules."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nested_ray.languages.base import Language, Outline, Reference, SymbolTable
from nested_ray.repository.bindings import Binding, merge
from nested_ray.repository.enclosing import Enclosing

BY_STRING = frozenset({"общиймодуль", "commonmodule"})
"""`ОбщегоНазначения.ОбщийМодуль("Имя")` gives the common module of that name."""
FIRST_STRING = re.compile(r'\w+[ \t]*\([ \t]*"(\w+)"')
ASSIGNED = re.compile(r"[ \t]*([^\W\d]\w*)[ \t]*=[ \t]*(?:\w+\.)?")
"""What stands before the call, when its result is all that the line gives a variable."""
HANDLER = re.compile(r'"([^\W\d]\w*)\.([^\W\d]\w*)"')
"""A method named in a string, as background jobs and notifications take it."""
NEW_WORDS = ("новый ", "new ")
MODULE = "module:"
"""Before a module's name, where the module as a whole is meant."""
NEW = "new:"
"""Before the name of a class of OneScript."""
MAX_PARTS = 4
MAX_ASSIGNMENT_CHARS = 300

Uses = dict[str, list[tuple[int, str, int]]]


def read_uses(
    text: str, outline: Outline, language: Language
) -> tuple[dict[str, tuple[Binding, ...]], Uses]:
    """Calls of methods that the module does not define, and modules named in strings."""
    bindings = merge({each.module: Binding(each.module, None)} for each in outline.imports)
    table = language.symbols(text)
    modules = modules_by_string(text, outline, language)
    found = [
        *called(text, outline, language, table, variables_of(modules, outline, table, language)),
        *((each.offset, MODULE + each.module, "u") for each in modules),
        *((match.start(2), f"{match[1]}.{match[2]}", "u") for match in HANDLER.finditer(text)),
    ]
    enclosing = Enclosing(outline.definitions)
    uses: Uses = defaultdict(list)
    for offset, name, kind in sorted(found):
        uses[name].append((offset, kind, enclosing.of(offset)))
    return bindings, uses


def called(
    text: str,
    outline: Outline,
    language: Language,
    table: SymbolTable,
    variables: Mapping[tuple[str, int], str],
) -> Iterator[tuple[int, str, str]]:
    """(offset, dotted name, kind) of calls whose beginning is nothing of the module's own."""
    own = {language.fold(definition.name) for definition in outline.definitions}
    hidden = {use.span.start for use in table.uses if use.symbol is not None}
    enclosing = Enclosing(outline.definitions)
    for reference in outline.references:
        name = full_name(reference)
        head = language.fold(name.partition(".")[0])
        start = reference.offset + len(reference.name) - len(name)
        is_plain = not reference.qualifier and not (head in own or head in language.builtins)
        if is_plain and text[max(0, start - 6) : start].casefold().endswith(NEW_WORDS):
            yield reference.offset, NEW + name, "u"
        elif not reference.is_call:
            continue
        elif variables and (module := variables.get((head, enclosing.of(max(start, 0))))):
            yield reference.offset, f"{module}.{reference.name}", "c"
        elif start not in hidden and (is_plain or 0 < name.count(".") < MAX_PARTS):
            yield reference.offset, name, "c"


def full_name(reference: Reference) -> str:
    return f"{reference.qualifier}.{reference.name}" if reference.qualifier else reference.name


@dataclass(frozen=True)
class ModuleByString:
    """`Модуль = ОбщегоНазначения.ОбщийМодуль("Имя")`."""

    offset: int
    """Where the module's name stands."""
    module: str
    variable: str | None


def modules_by_string(text: str, outline: Outline, language: Language) -> list[ModuleByString]:
    """Calls that give a common module by its name in a string."""
    found: list[ModuleByString] = []
    for reference in outline.references:
        if reference.is_call and language.fold(reference.name) in BY_STRING:
            if match := FIRST_STRING.match(text, reference.offset):
                nearest = max(0, reference.offset - MAX_ASSIGNMENT_CHARS)
                line_start = text.rfind("\n", nearest, reference.offset) + 1 or nearest
                before = ASSIGNED.fullmatch(text, line_start, reference.offset)
                found.append(ModuleByString(match.start(1), match[1], before and before[1]))
    return found


def variables_of(
    modules: Sequence[ModuleByString], outline: Outline, table: SymbolTable, language: Language
) -> dict[tuple[str, int], str]:
    """(variable, method) → common module, where the method gives the variable nothing else."""
    if not modules:
        return {}
    enclosing = Enclosing(outline.definitions)
    found = {
        (language.fold(each.variable), enclosing.of(each.offset)): each.module
        for each in modules
        if each.variable
    }
    enclosing = Enclosing(outline.definitions)
    num_writes: Counter[tuple[str, int]] = Counter()
    for use in sorted(table.uses, key=lambda use: use.span.start):
        if use.is_write:
            num_writes[language.fold(use.name), enclosing.of(use.span.start)] += 1
    return {place: module for place, module in found.items() if num_writes[place] <= 1}
