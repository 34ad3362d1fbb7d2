"""Ruff's codes → our rules, and which of its verdicts are proofs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from nested_ray.analyzers.findings import Edit, Finding, Fix, Rule
from nested_ray.analyzers.semantics import rules
from nested_ray.analyzers.semantics.python.module import PythonModule
from nested_ray.analyzers.semantics.python.ruff import FixVerdict, Verdict
from nested_ray.languages.base import Span

_CODES: dict[Rule, str] = {
    rules.UNRESOLVED_NAME: "F821",
    rules.READ_BEFORE_ASSIGNMENT: "F823 PLE0118",
    rules.UNRESOLVED_EXPORT: "F822",
    rules.REDEFINED_UNUSED: "F811",
    rules.UNUSED_IMPORT: "F401",
    rules.UNUSED_VARIABLE: "F841",
    rules.SHADOWED_BUILTIN: "A001 A004",
    rules.SHADOWED_IMPORT: "F402",
    rules.SELF_COMPARISON: "PLR0124",
    rules.CONSTANT_CONDITION: "F631 F634 PLW0129 SIM222 SIM223 RUF040",
    rules.LITERAL_IDENTITY: "F632",
    rules.REPEATED_KEY: "F601 B033 B035 PIE796",
    rules.FORMAT_ARGUMENTS: (
        "F501 F502 F503 F504 F505 F506 F507 F508 F509 F521 F522 F523 F524 F525 "
        "PLE1205 PLE1206 PLE1300 PLE1307"
    ),
    rules.USELESS_COMPARISON: "B015",
    rules.LOOP_CAPTURE: "B023",
    rules.EXCEPTION_MISUSE: "B016 B025 B029 B030 PLW0133 PLW0711 F901",
    rules.SPECIAL_METHOD: "PLE0100 PLE0101 PLE0302 PLE0303 PLE0305 PLE0307 PLE0308 PLE0309 PLE0241",
    rules.SUSPICIOUS_CALL: (
        "B003 B005 PLE1142 PLE1507 PLE1519 PLW1501 RUF006 RUF016 RUF024 RUF026 PLE0643"
    ),
}
CODES: tuple[str, ...] = tuple(sorted(code for codes in _CODES.values() for code in codes.split()))
_RULE_OF = {code: rule for rule, codes in _CODES.items() for code in codes.split()}

_CONFIDENCE: dict[Rule, float] = {
    rules.UNUSED_IMPORT: 0.9,
    rules.UNUSED_VARIABLE: 0.9,
    rules.SHADOWED_BUILTIN: 0.5,
    rules.LOOP_CAPTURE: 0.5,
    rules.SELF_COMPARISON: 0.9,
    rules.REDEFINED_UNUSED: 0.9,
}


class _Place(NamedTuple):
    verdict: Verdict
    module: PythonModule
    span: Span

    @property
    def source(self) -> str:
        return self.module.text[self.span.start : self.span.end]

    @property
    def is_in_assertion(self) -> bool:
        start = self.module.text.rfind("\n", 0, self.span.start) + 1
        return "assert" in self.module.text[start : self.span.start]


def findings_of(path: str, module: PythonModule, verdicts: list[Verdict]) -> Iterator[Finding]:
    """What of ruff's verdicts on one file is worth saying."""
    for verdict in verdicts:
        rule = _RULE_OF.get(verdict.code)
        if rule is None:
            continue
        place = _Place(verdict, module, Span(*map(module.places.offset, *_columns(verdict))))
        if not _is_proof(rule, place):
            continue
        if rule is rules.UNRESOLVED_NAME and module.is_local(place.source, verdict.start[0]):
            rule = rules.READ_BEFORE_ASSIGNMENT
        yield Finding(
            rule=rule.id,
            path=path,
            span=place.span,
            message=verdict.message.rstrip("."),
            severity=rule.severity,
            confidence=_CONFIDENCE.get(rule, 1.0),
            witness=f"ruff {verdict.code}",
            fix=_fix(module, verdict.fix) if verdict.fix else None,
            symbol=module.symbol_at(verdict.start[0]),
        )


def _columns(verdict: Verdict) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows, and columns from 0."""
    (row, column), (end_row, end_column) = verdict.start, verdict.end
    return (row, end_row), (column - 1, end_column - 1)


def _is_proof(rule: Rule, place: _Place) -> bool:
    """Whether the verdict holds in a module that may do what ruff does not look at."""
    names = place.module.scope.bindings
    if rule in (rules.UNRESOLVED_NAME, rules.UNRESOLVED_EXPORT):
        # A name that the module deletes may have been used before; gettext installs `_`.
        return not place.module.fills_own_namespace and place.source not in {*names, "_"}
    if rule is rules.REDEFINED_UNUSED:
        return all(not isinstance(node, ast.Name) for node in names.get(place.source, ()))
    if rule is rules.SELF_COMPARISON:
        # The test for NaN, and tests of the comparison itself.
        return "!=" not in place.verdict.message and not place.is_in_assertion
    if rule is rules.FORMAT_ARGUMENTS:
        return "locals()" not in place.source and "vars()" not in place.source
    if rule is rules.SHADOWED_BUILTIN:
        return place.source in names
    if rule is rules.UNUSED_VARIABLE:
        before = place.module.text[max(0, place.span.start - 4) : place.span.start]
        # `except E as error` and names that say they are not used.
        return not before.endswith(" as ") and place.source.strip("_") not in (
            "",
            "dummy",
            "unused",
        )
    return True


def _fix(module: PythonModule, fix: FixVerdict) -> Fix:
    edits = (
        Edit(
            Span(
                module.places.offset(start[0], start[1] - 1),
                module.places.offset(end[0], end[1] - 1),
            ),
            content,
        )
        for start, end, content in fix.edits
    )
    return Fix(fix.description, tuple(sorted(edits, key=lambda edit: edit.span.start)))
