"""Findings: what an analyzer or a level's model says about a place in the code, with its proof."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from nested_ray.languages.base import Span


class Severity(IntEnum):
    """Higher is worse; the names are SARIF's levels."""

    NOTE = 1
    WARNING = 2
    ERROR = 3

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Rule:
    """One thing that can be found."""

    id: str
    """`level/kebab-name`, stable for ever: fingerprints, suppressions and baselines rest on it."""
    summary: str
    """One sentence for lists of rules."""
    help: str
    """Why it matters and what to do about it."""
    severity: Severity
    languages: tuple[str, ...] = ()
    """Empty: every language."""
    is_learned: bool = False
    """Posted by what a model learned; without it the finding is a proof."""

    @property
    def level(self) -> str:
        return self.id.partition("/")[0]


@dataclass(frozen=True)
class Location:
    """A place in a file of the repository."""

    path: str
    span: Span
    message: str = ""


@dataclass(frozen=True)
class Edit:
    """One replacement; an empty span inserts."""

    span: Span
    text: str


@dataclass(frozen=True)
class Fix:
    """Edits of the finding's file that belong together, in order and without overlap."""

    description: str
    edits: tuple[Edit, ...]

    def apply(self, text: str) -> str:
        """The text after the edits."""
        for edit in reversed(self.edits):
            text = text[: edit.span.start] + edit.text + text[edit.span.end :]
        return text


@dataclass(frozen=True)
class Finding:
    """One remark on one place."""

    rule: str
    path: str
    span: Span
    message: str
    """One sentence that names what was found and, where it is short, what to do."""
    severity: Severity
    confidence: float
    """Probability that a reviewer would agree; 1.0 for a proof."""
    witness: str = ""
    """The proof or the evidence in words: the call chain, the alternative and its likelihood."""
    related: tuple[Location, ...] = ()
    fix: Fix | None = None
    symbol: str = ""
    """Qualified name of the definition it stands in, for fingerprints that survive line shifts."""

    @property
    def level(self) -> str:
        return self.rule.partition("/")[0]
