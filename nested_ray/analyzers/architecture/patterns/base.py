"""PatternMatch: a design pattern that was recognised, with the places that show it."""

from __future__ import annotations

from dataclasses import dataclass

from nested_ray.analyzers.findings import Location


@dataclass(frozen=True)
class PatternMatch:
    """One pattern at one definition, module or object."""

    pattern: str
    """`factory`, `singleton`, `overridable-module`, …"""
    symbol: str
    """Name of the class or function that plays the pattern's main part; a unit in 1C."""
    evidence: tuple[Location, ...]
    """What shows it, the main part first."""

    @property
    def path(self) -> str:
        return self.evidence[0].path
