"""Calls in a BSL or OneScript module that may lead to other modules."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from nested_ray.languages.base import Language, Outline, Reference, SymbolTable
from nested_ray.repository.bindings import Binding, merge
from nested_ray.repository.enclosing import Enclosing

BY_STRING = re.compile(
    r'(?:(\w+)[ \t]*=[ \t]*)?(?:\w+\.)?(?:ОбщийМодуль|CommonModule)[ \t]*\([ \t]*"(\w+)"', re.IGNORECASE
)  # fmt: skip
"""`Модуль = ОбщегоНазначения.ОбщийМодуль("Имя")`: group 1 is the variable, 2 the module."""
HANDLER = re.compile(r'"([^\W\d]\w*)\.([^\W\d]\w*)"')
"""A method named in a string, as background jobs and notifications take it."""
NEW_CLASS = re.compile(r"(?:Новый|New)[ \t]+([^\W\d]\w*)", re.IGNORECASE)
MODULE = "module:"
"""Before a module's name, where the module as a whole is meant."""
NEW = "new:"
"""Before the name of a class of OneScript."""
MAX_PARTS = 4

Uses = dict[str, list[tuple[int, str, int]]]


def read_uses(
    text: str, outline: Outline, language: Language
) -> tuple[dict[str, tuple[Binding, ...]], Uses]:
    """Calls of methods that the module does not define, and modules named in strings."""
    bindings = merge({each.module: Binding(each.module, None)} for each in outline.imports)
    found = sorted([*called(text, outline, language), *named_in_strings(text)])
    enclosing = Enclosing(outline.definitions)
    uses: Uses = defaultdict(list)
    for offset, name, kind in found:
        uses[name].append((offset, kind, enclosing.of(offset)))
    return bindings, uses


def called(text: str, outline: Outline, language: Language) -> list[tuple[int, str, str]]:
    """(offset, dotted name, kind) of calls whose beginning is no variable of the module's own."""
    own = {language.fold(definition.name) for definition in outline.definitions}
    table = language.symbols(text)
    hidden = {use.span.start for use in table.uses if use.symbol is not None}
    modules = module_variables(text, outline, table, language)
    enclosing = Enclosing(outline.definitions)
    found: list[tuple[int, str, str]] = []
    for reference in outline.references:
        if not reference.is_call:
            continue
        name = full_name(reference)
        head = language.fold(name.partition(".")[0])
        start = reference.offset + len(reference.name) - len(name)
        if modules and (module := modules.get((head, enclosing.of(max(start, 0))))):
            found.append((reference.offset, f"{module}.{reference.name}", "c"))
        elif start in hidden or name.count(".") >= MAX_PARTS:
            continue
        elif reference.qualifier or not (head in own or head in language.builtins):
            found.append((reference.offset, name, "c"))
    return found


def full_name(reference: Reference) -> str:
    return f"{reference.qualifier}.{reference.name}" if reference.qualifier else reference.name


def module_variables(
    text: str, outline: Outline, table: SymbolTable, language: Language
) -> dict[tuple[str, int], str]:
    """(variable, method) → common module, where the method gives the variable nothing else."""
    modules: dict[tuple[str, int], str] = {}
    enclosing = Enclosing(outline.definitions)
    for match in BY_STRING.finditer(text):
        if match[1]:
            modules[language.fold(match[1]), enclosing.of(match.start())] = match[2]
    if not modules:
        return {}
    num_writes: Counter[tuple[str, int]] = Counter()
    enclosing = Enclosing(outline.definitions)
    for use in sorted(table.uses, key=lambda use: use.span.start):
        if use.is_write:
            num_writes[language.fold(use.name), enclosing.of(use.span.start)] += 1
    return {place: module for place, module in modules.items() if num_writes[place] <= 1}


def named_in_strings(text: str) -> list[tuple[int, str, str]]:
    """Modules and methods that are written in a string, classes that are created."""
    return [
        *((match.start(2), MODULE + match[2], "u") for match in BY_STRING.finditer(text)),
        *((match.start(2), f"{match[1]}.{match[2]}", "u") for match in HANDLER.finditer(text)),
        *((match.start(1), NEW + match[1], "u") for match in NEW_CLASS.finditer(text)),
    ]
