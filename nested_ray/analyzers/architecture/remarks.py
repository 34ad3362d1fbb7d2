"""Cycles and layer breaks as findings: each stands at one link and proves itself with the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nested_ray.analyzers.architecture.cycles import Cycle, find_cycles
from nested_ray.analyzers.architecture.graph import Edge
from nested_ray.analyzers.architecture.layers import (
    InferredBreak,
    assign_layers,
    declared_breaks,
    inferred_breaks,
)
from nested_ray.analyzers.architecture.rules import (
    DEPENDENCY_CYCLE,
    IMPORT_CYCLE,
    INFERRED_LAYER_BREAK,
    LAYER_BREAK,
)
from nested_ray.analyzers.architecture.structure import Structure
from nested_ray.analyzers.findings import Finding, Location, Rule, Severity
from nested_ray.config.architecture import LayerConfig
from nested_ray.repository.base import Link


def cycle_findings(structure: Structure) -> Iterator[Finding]:
    """Cycles of imports, then the other cycles that they do not explain already."""
    at_load = find_cycles(structure.loading)
    reported = {(cycle.cut.source, cycle.cut.target) for cycle in at_load}
    for cycle in at_load:
        yield _cycle_finding(structure, cycle, IMPORT_CYCLE)
    for cycle in find_cycles(structure.units.without(reported)):
        yield _cycle_finding(structure, cycle, DEPENDENCY_CYCLE)


def _cycle_finding(structure: Structure, cycle: Cycle, rule: Rule) -> Finding:
    names = [structure.shown(edge.source) for edge in cycle.path]
    verb = "imports" if rule is IMPORT_CYCLE else "depends on"
    circle = f" {verb} ".join([names[0], " → ".join([*names[1:], names[0]])])
    size = len(cycle.tangle)
    within = any(is_package_of(edge.target, edge.source) for edge in cycle.path)
    knot = f"; {size} of them are tangled together" if size > len(cycle.path) else ""
    return at_link(
        structure,
        rule,
        cycle.cut.witness,
        f"{circle}: a circle of {len(cycle.path)}{knot}.",
        witness=_steps(structure, cycle.path),
        related=_places(structure, cycle.path[1:]),
        severity=Severity.NOTE if within else rule.severity,
        confidence=1.0 if rule is IMPORT_CYCLE else clearness(cycle),
    )


def clearness(cycle: Cycle) -> float:
    """How clear it is which link to cut: its share against the thinnest of the others, one more assumed on
    each side; 0.5 where any could go."""
    others = min(edge.count for edge in cycle.path[1:])
    return max(0.5, (others + 1) / (others + cycle.cut.count + 2))


def is_package_of(package: str, module: str) -> bool:
    """Whether a file is the `__init__` of a package around the module: their circles are common and tame."""
    folder, _, name = package.rpartition("/")
    return name == "__init__.py" and module.startswith(f"{folder}/")


def declared_findings(structure: Structure, layers: Sequence[LayerConfig]) -> Iterator[Finding]:
    """Links that the declared layers do not allow."""
    layer_of = assign_layers(list(structure.repository.files), layers)
    for broken in declared_breaks(structure.links, layers, layer_of):
        yield at_link(
            structure,
            LAYER_BREAK,
            broken.link,
            f"{structure.shown(broken.link.source)} is in layer {broken.source_layer!r}, which must not "
            f"use layer {broken.target_layer!r}, but depends on {structure.shown(broken.link.target)}.",
            witness=f"declared: {_declared(layers, broken.source_layer)}",
        )


def _declared(layers: Sequence[LayerConfig], name: str) -> str:
    order = " > ".join(layer.name for layer in layers)
    layer = next(layer for layer in layers if layer.name == name)
    if layer.may_use is None:
        return order
    return f"{order}; {name} may use {', '.join(layer.may_use) or 'no other'}"


def inferred_findings(structure: Structure) -> Iterator[Finding]:
    """Links against the direction in which two packages use each other."""
    for broken in inferred_breaks(structure.packages):
        yield at_link(
            structure,
            INFERRED_LAYER_BREAK,
            broken.edge.witness,
            f"{broken.edge.source} depends on {broken.edge.target} {_times(broken.edge)}, "
            f"against the direction of {broken.strength} links and more.",
            witness=_flow(broken),
            related=_places(structure, broken.flow),
            confidence=broken.confidence,
        )


def _flow(broken: InferredBreak) -> str:
    way = "; ".join(f"{edge.source} uses {edge.target}: {edge.count}" for edge in broken.flow)
    return f"{way}; {broken.edge.source} uses {broken.edge.target}: {broken.edge.count}"


def _times(edge: Edge) -> str:
    return "once" if edge.count == 1 else f"{edge.count} times"


def _steps(structure: Structure, edges: Sequence[Edge]) -> str:
    return "; ".join(
        f"{structure.shown(edge.source)} → {structure.shown(edge.target)} "
        f"({structure.where(edge.witness)}, {edge.count} link{'s' if edge.count > 1 else ''})"
        for edge in edges
    )


def _places(structure: Structure, edges: Sequence[Edge]) -> tuple[Location, ...]:
    return tuple(
        Location(
            edge.witness.source,
            structure.line_span(edge.witness.source, edge.witness.offset),
            f"{structure.shown(edge.source)} uses {structure.shown(edge.target)}",
        )
        for edge in edges
    )


def at_link(
    structure: Structure,
    rule: Rule,
    link: Link,
    message: str,
    *,
    witness: str = "",
    related: tuple[Location, ...] = (),
    confidence: float = 1.0,
    severity: Severity | None = None,
) -> Finding:
    """A finding on the line of a link."""
    return Finding(
        rule=rule.id,
        path=link.source,
        span=structure.line_span(link.source, link.offset),
        message=message,
        severity=severity or rule.severity,
        confidence=confidence,
        witness=witness,
        related=related,
        symbol=structure.symbol(link.source, link.source_definition),
    )
