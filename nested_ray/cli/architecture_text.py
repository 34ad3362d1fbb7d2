"""An architecture report, an impact set or a place as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from nested_ray.analyzers.architecture.report import ArchitectureReport

MAX_PLACES = 5
_MAX_ROWS, _MAX_NAMES, _MAX_FINDINGS, _MAX_IMPACTED = 12, 6, 30, 50


def report_text(report: ArchitectureReport) -> str:
    """Layers, circles, hubs, patterns and findings, the long ones shortened."""
    lines = [
        f"{report.num_files:,} files, {report.num_lines:,} lines, {report.num_units:,} modules and "
        f"objects in {len(report.packages):,} packages, {report.num_links:,} links",
        *_layers(report),
        *_circles(report),
        *_hubs(report),
        *_patterns(report),
        *_findings(report),
    ]
    return "\n".join(lines) + "\n"


def _layers(report: ArchitectureReport) -> Iterator[str]:
    how = (
        "declared" if report.are_layers_declared else "as the links run, users above what they use"
    )
    yield f"\nLayers ({how})"
    for layer in report.layers[:_MAX_ROWS]:
        yield f"  {layer.name}: {_some(layer.members)}"
    yield from _rest(len(report.layers) - _MAX_ROWS, "layers")


def _circles(report: ArchitectureReport) -> Iterator[str]:
    if not report.tangles:
        yield "\nNo circles"
        return
    yield f"\n{len(report.tangles):,} tangles, {len(report.cycles):,} links to cut"
    for tangle in report.tangles[:MAX_PLACES]:
        yield f"  {len(tangle)} depend on each other: {_some(tangle)}"
    yield from _rest(len(report.tangles) - MAX_PLACES, "tangles")


def _hubs(report: ArchitectureReport) -> Iterator[str]:
    if report.hubs:
        yield f"\n{len(report.hubs):,} modules with far more ties than the others"
    for hub in report.hubs[:_MAX_ROWS]:
        yield f"  {hub.unit}: used by {hub.fan_in}, uses {hub.fan_out}"
    yield from _rest(len(report.hubs) - _MAX_ROWS, "modules")


def _patterns(report: ArchitectureReport) -> Iterator[str]:
    if report.patterns:
        yield f"\n{len(report.patterns):,} design patterns"
    for pattern, count in Counter(match.pattern for match in report.patterns).most_common():
        symbols = [match.symbol for match in report.patterns if match.pattern == pattern]
        yield f"  {pattern} {count}: {_some(symbols)}"


def _findings(report: ArchitectureReport) -> Iterator[str]:
    yield f"\n{len(report.findings):,} findings"
    for finding in report.findings[:_MAX_FINDINGS]:
        yield f"  {finding.path}:{report.line_of(finding)}: {finding.severity.label}: {finding.message} [{finding.rule}]"
        if finding.witness:
            yield f"      {finding.witness}"
    yield from _rest(len(report.findings) - _MAX_FINDINGS, "findings; --json has all")


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {rest:,} more" if rest > 0 else "")


def _rest(count: int, what: str) -> Iterator[str]:
    if count > 0:
        yield f"  … {count:,} more {what}"


def impact_text(values: dict[str, Any]) -> str:
    """One file per line with its distance and the way the change takes."""
    changed, impacted = values["changed"], values["impacted"]
    lines = [f"changed: {_some(changed) or 'nothing that is defined here'}", ""]
    lines.append(f"{len(impacted):,} files can be reached")
    for each in impacted[:_MAX_IMPACTED]:
        way = " ← ".join([step["at"] for step in reversed(each["way"])])
        lines.append(f"  {each['distance']}  {each['path']} ({each['num_links']} links)  {way}")
    lines.extend(_rest(len(impacted) - _MAX_IMPACTED, "files; --json has all"))
    return "\n".join(lines) + "\n"


def place_text(values: dict[str, Any]) -> str:
    """The likeliest places of a file."""
    lines = [
        f"{values['path']} stands in {values['stands_in']}"
        if values["stands_in"]
        else values["path"]
    ]
    lines += [f"  {each['probability']:6.1%}  {each['name']}" for each in values["places"]]
    return "\n".join(lines) + "\n"
