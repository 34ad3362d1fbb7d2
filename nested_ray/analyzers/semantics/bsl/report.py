"""What the rules need to know of a module's surroundings, and how they write findings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from rapidfuzz import process
from rapidfuzz.distance import OSA

from nested_ray.analyzers.findings import Finding, Location, Rule, Severity
from nested_ray.analyzers.semantics.bsl.module import BslModule
from nested_ray.analyzers.semantics.bsl.names import Names
from nested_ray.languages.base import Span
from nested_ray.languages.bsl.builtins import names_of
from nested_ray.repository.metadata_paths import MANAGERS, ModulePlace

_MAX_SLIP = 2
"""Edits between a name and the one that was meant."""
# Modules whose plain names can be attributes, tabular sections and commands that no text declares.
_WITH_ATTRIBUTES = {"form", "object", "recordset", "value"}


@dataclass
class Reporter:
    """One module's place in the configuration."""

    path: str
    place: ModulePlace | None
    """None outside a configuration: an external module, a script."""
    module: BslModule
    common_modules: Mapping[str, str] = field(default_factory=dict)
    """The configuration's common modules: folded name → as written."""
    application_variables: frozenset[str] | None = None
    """Folded names that every module sees; None when they are not known."""
    called: set[str] = field(default_factory=set)
    """Folded names that some method of the module calls without a qualifier."""
    _meant: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def has_attributes(self) -> bool:
        """Whether a plain name may be an attribute; also of a module whose place is not known."""
        return self.place is None or self.place.role in _WITH_ATTRIBUTES

    @cached_property
    def platform_methods(self) -> frozenset[str]:
        """Methods that can be called without a qualifier here and that no text defines, folded."""
        known = names_of("functions") | names_of("module")
        role = self.place.role if self.place else ""
        if role == "form":
            return known | names_of("form") | names_of("object")
        return known | names_of("object")

    def is_called(self, name: str) -> bool:
        return name in self.called

    def is_configuration_name(self, name: str) -> bool:
        """Whether a plain name can mean a part of the configuration."""
        return name in self.common_modules or name in MANAGERS

    @cached_property
    def callable_names(self) -> dict[str, str]:
        """What a plain call can mean here: folded name → as written."""
        own = {name: found[0].name for name, found in self.module.methods_by_name.items()}
        return {name: name for name in self.platform_methods} | own

    def meant(self, name: str, known: Mapping[str, str], *, among: str) -> str:
        """The known name (folded → as written) that a slip would explain, as the end of a sentence.

        `among` says what is known, so that one question is answered once.
        """
        if (among, name) not in self._meant:
            limit = min(_MAX_SLIP, len(name) // 4)
            found = process.extractOne(name, known.keys(), scorer=OSA.distance, score_cutoff=limit)
            self._meant[among, name] = f"; `{known[found[0]]}` is near" if found else ""
        return self._meant[among, name]

    def finding(
        self,
        rule: Rule,
        span: Span,
        message: str,
        *,
        confidence: float = 1.0,
        witness: str = "",
        related: tuple[Location, ...] = (),
        symbol: str = "",
        severity: Severity | None = None,
    ) -> Finding:
        """A finding in this module."""
        return Finding(
            rule=rule.id,
            path=self.path,
            span=span,
            message=message,
            severity=severity or rule.severity,
            confidence=confidence,
            witness=witness,
            related=related,
            symbol=symbol,
        )


def all_called(names: Collection[Names]) -> set[str]:
    """Folded names of every plain call in a module."""
    return {call.name for each in names for call in each.calls}
