"""ArchitectureReport: what a code base looks like from above, for people, JSON and pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nested_ray.analyzers.architecture.analyzer import ArchitectureAnalyzer, Step
from nested_ray.analyzers.architecture.cycles import Cycle, find_cycles
from nested_ray.analyzers.architecture.hubs import Hub, find_hubs
from nested_ray.analyzers.architecture.layers import assign_layers, levels_of
from nested_ray.analyzers.architecture.measures import stability_of
from nested_ray.analyzers.architecture.order import backward_edges
from nested_ray.analyzers.architecture.patterns import PatternMatch, find_patterns
from nested_ray.analyzers.architecture.placement import PlacementModel
from nested_ray.analyzers.architecture.structure import Structure, read_structure
from nested_ray.analyzers.findings import Finding, Location
from nested_ray.config.architecture import ArchitectureConfig
from nested_ray.repository.base import Repository

FORMAT = 1


@dataclass(frozen=True)
class Package:
    """A Python package, a folder or a 1C subsystem."""

    name: str
    num_units: int
    num_lines: int
    used_by: int
    """Packages that depend on it."""
    uses: int
    """Packages it depends on."""
    instability: float
    """Share of its ties that go out: 0 is depended on only, 1 depends only."""


@dataclass(frozen=True)
class Dependency:
    """Links from one package to another."""

    source: str
    target: str
    count: int
    is_against: bool
    """Against the direction of the others: without these no circle remains."""
    example: str
    """`path:line` of one of the links."""


@dataclass(frozen=True)
class Layer:
    """A declared layer, or a level of packages that follows from the links."""

    name: str
    members: tuple[str, ...]
    """Packages; of a declared layer, the paths of its files."""


@dataclass(frozen=True)
class ArchitectureReport:
    """Everything `nested-ray architecture` shows."""

    num_files: int
    num_units: int
    num_links: int
    num_lines: int
    languages: Mapping[str, int]
    """Files by language."""
    packages: tuple[Package, ...]
    dependencies: tuple[Dependency, ...]
    layers: tuple[Layer, ...]
    """From the top down."""
    are_layers_declared: bool
    tangles: tuple[tuple[str, ...], ...]
    """Groups of units that all depend on each other, the largest first."""
    cycles: tuple[tuple[str, ...], ...]
    """Shortest circles, one per link that would have to go."""
    hubs: tuple[Hub, ...]
    patterns: tuple[PatternMatch, ...]
    findings: tuple[Finding, ...]
    lines: Mapping[tuple[str, int], int]
    """Line numbers of the places named, by path and offset."""

    def line_of(self, location: Location | Finding) -> int:
        return self.lines[location.path, location.span.start]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "format": FORMAT,
            "num_files": self.num_files,
            "num_units": self.num_units,
            "num_links": self.num_links,
            "num_lines": self.num_lines,
            "languages": dict(self.languages),
            "packages": [asdict(package) for package in self.packages],
            "dependencies": [asdict(dependency) for dependency in self.dependencies],
            "are_layers_declared": self.are_layers_declared,
            "layers": [asdict(layer) for layer in self.layers],
            "tangles": self.tangles,
            "cycles": self.cycles,
            "hubs": [asdict(hub) for hub in self.hubs],
            "patterns": [self._pattern(match) for match in self.patterns],
            "findings": [self._finding(finding) for finding in self.findings],
        }

    def _pattern(self, match: PatternMatch) -> dict[str, Any]:
        evidence = [self._location(each) for each in match.evidence]
        return {"pattern": match.pattern, "symbol": match.symbol, "evidence": evidence}

    def _finding(self, finding: Finding) -> dict[str, Any]:
        return {
            "rule": finding.rule,
            "path": finding.path,
            "line": self.line_of(finding),
            "symbol": finding.symbol,
            "severity": finding.severity.label,
            "confidence": round(finding.confidence, 3),
            "message": finding.message,
            "witness": finding.witness,
            "related": [self._location(each) for each in finding.related],
        }

    def _location(self, location: Location) -> dict[str, Any]:
        return {
            "path": location.path,
            "line": self.line_of(location),
            "message": location.message,
        }


def describe(
    repository: Repository,
    config: ArchitectureConfig | None = None,
    *,
    placement: PlacementModel | None = None,
    on_step: Step | None = None,
) -> ArchitectureReport:
    """Look at a repository from above; `placement` is a nest's model, else one is learned here."""
    config = config or ArchitectureConfig()
    structure = read_structure(repository)
    analyzer = ArchitectureAnalyzer(config, placement=placement, on_step=on_step)
    findings = sorted(
        analyzer.findings(structure),
        key=lambda f: (-f.severity, -f.confidence, f.path, f.span.start),
    )
    if on_step is not None:
        on_step("patterns")
    patterns = find_patterns(structure)
    cycles = find_cycles(structure.units)
    return ArchitectureReport(
        num_files=len(repository.files),
        num_units=len(structure.units.nodes),
        num_links=sum(edge.count for edge in structure.units.edges.values()),
        num_lines=sum(file.text.count("\n") + 1 for file in repository.files.values()),
        languages=dict(sorted(Counter(f.language for f in repository.files.values()).items())),
        packages=_packages(structure),
        dependencies=_dependencies(structure),
        layers=_layers(structure, config),
        are_layers_declared=bool(config.layers),
        tangles=tuple(tuple(map(structure.shown, each)) for each in structure.units.components()),
        cycles=tuple(_circle(structure, cycle) for cycle in cycles),
        hubs=tuple(_shown_hub(structure, hub) for hub in find_hubs(structure, config.hubs)),
        patterns=tuple(patterns),
        findings=tuple(findings),
        lines=_lines(structure, findings, patterns),
    )


def _packages(structure: Structure) -> tuple[Package, ...]:
    layout = structure.layout
    units = Counter(layout.package_of.values())
    lines: Counter[str] = Counter()
    for path, file in structure.repository.files.items():
        lines[layout.package_of[layout.unit_of[path]]] += file.text.count("\n") + 1
    ties = stability_of(structure.packages)
    found: list[Package] = []
    for name in structure.packages.nodes:
        own = ties.get(name)
        found.append(
            Package(
                name,
                units[name],
                lines[name],
                own.afferent if own else 0,
                own.efferent if own else 0,
                round(own.instability, 3) if own else 0.0,
            )
        )
    return tuple(found)


def _dependencies(structure: Structure) -> tuple[Dependency, ...]:
    packages = structure.packages
    against = {
        (edge.source, edge.target)
        for component in packages.components()
        for edge in backward_edges(packages, component)
    }
    return tuple(
        Dependency(
            source, target, edge.count, (source, target) in against, structure.where(edge.witness)
        )
        for (source, target), edge in sorted(packages.edges.items())
    )


def _layers(structure: Structure, config: ArchitectureConfig) -> tuple[Layer, ...]:
    if not config.layers:
        levels = levels_of(structure.packages)
        return tuple(Layer(f"level {n}", tuple(level)) for n, level in enumerate(levels, start=1))
    layer_of = assign_layers(list(structure.repository.files), config.layers)
    return tuple(
        Layer(layer.name, tuple(path for path, name in layer_of.items() if name == layer.name))
        for layer in config.layers
    )


def _circle(structure: Structure, cycle: Cycle) -> tuple[str, ...]:
    return tuple(structure.shown(edge.source) for edge in cycle.path)


def _shown_hub(structure: Structure, hub: Hub) -> Hub:
    return Hub(structure.shown(hub.unit), hub.fan_in, hub.fan_out, hub.is_used_much, hub.uses_much)


def _lines(
    structure: Structure, findings: Sequence[Finding], patterns: Sequence[PatternMatch]
) -> dict[tuple[str, int], int]:
    """Line of every place named; the offsets of a file are counted through once."""
    offsets: dict[str, set[int]] = {}
    for finding in findings:
        for place in (finding, *finding.related):
            offsets.setdefault(place.path, set()).add(place.span.start)
    for match in patterns:
        for place in match.evidence:
            offsets.setdefault(place.path, set()).add(place.span.start)
    found: dict[tuple[str, int], int] = {}
    for path, wanted in offsets.items():
        text, line, done = structure.text(path), 1, 0
        for offset in sorted(wanted):
            line += text.count("\n", done, offset)
            done = offset
            found[path, offset] = line
    return found
