"""Hubs and unstable dependencies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nested_ray.analyzers.architecture.measures import outliers, unstable_dependencies
from nested_ray.analyzers.architecture.remarks import at_link
from nested_ray.analyzers.architecture.rules import HUB, UNSTABLE_DEPENDENCY
from nested_ray.analyzers.architecture.structure import Structure
from nested_ray.analyzers.findings import Finding
from nested_ray.config.architecture import HubConfig

_SHOWN = 5


@dataclass(frozen=True)
class Hub:
    """A unit with far more ties than the others."""

    unit: str
    fan_in: int
    fan_out: int
    is_used_much: bool
    uses_much: bool


def find_hubs(structure: Structure, config: HubConfig) -> list[Hub]:
    """Units that stand out by dependents or by dependencies, those with the most ties first."""
    units = structure.units
    fan_in = {unit: len(units.sources[unit]) for unit in units.nodes}
    fan_out = {unit: len(units.targets[unit]) for unit in units.nodes}
    much_in = outliers(fan_in, floor=config.min_fan_in)
    much_out = outliers(fan_out, floor=config.min_fan_out)
    found = [
        Hub(unit, fan_in[unit], fan_out[unit], unit in much_in, unit in much_out)
        for unit in sorted({*much_in, *much_out})
    ]
    return sorted(found, key=lambda hub: (-(hub.fan_in + hub.fan_out), hub.unit))


def hub_findings(structure: Structure, config: HubConfig) -> Iterator[Finding]:
    """A hub is both: being used much alone is what a library is for."""
    for hub in find_hubs(structure, config):
        if hub.is_used_much and hub.uses_much:
            path = structure.layout.files_of[hub.unit][0]
            yield Finding(
                rule=HUB.id,
                path=path,
                span=structure.line_span(path, 0),
                message=f"{structure.shown(hub.unit)} is a hub: {hub.fan_in} modules depend on it and "
                f"it depends on {hub.fan_out}.",
                severity=HUB.severity,
                confidence=1.0,
                witness=_ties(structure, hub.unit),
            )


def _ties(structure: Structure, unit: str) -> str:
    units = structure.units
    users = {source: units.edges[source, unit].count for source in units.sources[unit]}
    used = {target: units.edges[unit, target].count for target in units.targets[unit]}
    return f"used by {_heaviest(structure, users)}; uses {_heaviest(structure, used)}"


def _heaviest(structure: Structure, counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{structure.shown(name)} ({count})" for name, count in ordered[:_SHOWN])
    rest = len(ordered) - _SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown


def stability_findings(structure: Structure) -> Iterator[Finding]:
    """Dependencies of stable packages on far less stable ones."""
    for edge, own, other in unstable_dependencies(structure.packages):
        yield at_link(
            structure,
            UNSTABLE_DEPENDENCY,
            edge.witness,
            f"{edge.source}, which {own.afferent} packages rest on, depends on {edge.target}, which "
            f"itself depends on {other.efferent}.",
            witness=f"instability {own.instability:.2f} ({own.efferent} out, {own.afferent} in) on "
            f"{other.instability:.2f} ({other.efferent} out, {other.afferent} in); {edge.count} links",
        )
