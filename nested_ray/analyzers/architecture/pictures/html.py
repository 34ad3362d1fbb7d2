"""A report as one HTML page: the picture, with search and what belongs to a box, and the findings below."""

from __future__ import annotations

from nested_ray.analyzers.architecture.pictures.drawing import Drawing
from nested_ray.analyzers.architecture.pictures.svg import clean, to_svg
from nested_ray.analyzers.architecture.report import ArchitectureReport

MAX_FINDINGS = 300
_STYLE = """
body { font: 14px system-ui, sans-serif; margin: 24px; color: #1b2a41; }
input { font: inherit; padding: 6px 10px; width: 320px; }
.picture { overflow: auto; border: 1px solid #ccd; margin: 12px 0; max-height: 75vh; }
.faded { opacity: .08 !important; }
.found rect { fill: #ffe9a8; }
table { border-collapse: collapse; } td, th { text-align: left; padding: 4px 12px 4px 0; vertical-align: top; }
.error { color: #a12; } .warning { color: #a60; } .note { color: #456; } code { font-size: 12px; }
"""
# Nothing of the repository is in the script; it reads names from attributes and never writes markup.
_SCRIPT = """
const nodes = [...document.querySelectorAll('.node')], arrows = [...document.querySelectorAll('.arrow')];
const show = name => {
  const near = new Set([name]);
  arrows.forEach(a => {
    const touches = a.dataset.source === name || a.dataset.target === name;
    a.classList.toggle('faded', name !== null && !touches);
    if (touches) { near.add(a.dataset.source); near.add(a.dataset.target); }
  });
  nodes.forEach(n => n.classList.toggle('faded', name !== null && !near.has(n.dataset.name)));
};
nodes.forEach(n => {
  n.addEventListener('mouseenter', () => show(n.dataset.name));
  n.addEventListener('focus', () => show(n.dataset.name));
  n.addEventListener('mouseleave', () => show(null));
  n.addEventListener('blur', () => show(null));
});
document.querySelector('input').addEventListener('input', event => {
  const wanted = event.target.value.trim().toLowerCase();
  nodes.forEach(n => n.classList.toggle('found', wanted !== '' && n.dataset.name.toLowerCase().includes(wanted)));
  document.querySelectorAll('tbody tr').forEach(r => { r.hidden = !r.textContent.toLowerCase().includes(wanted); });
});
"""


def to_html(report: ArchitectureReport, drawing: Drawing, *, title: str) -> str:
    """One page without anything from outside; a policy forbids it to load what was not meant."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    facts = (
        f"{report.num_files:,} files, {report.num_units:,} modules and objects, "
        f"{report.num_links:,} links, {len(report.packages):,} packages"
    )
    hidden = drawing.num_hidden_arrows
    note = f" {hidden:,} lighter dependencies are not drawn." if hidden else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{clean(title)}</title>
<meta http-equiv="Content-Security-Policy" content="{policy}">
<style>{_STYLE}</style></head><body>
<h1>{clean(title)}</h1>
<p>{facts}. Users stand above what they use; red and dashed runs against the flow.{note}</p>
<input type="search" placeholder="package, file, rule" aria-label="Search">
<div class="picture">{to_svg(drawing, title=title)}</div>
{_findings(report)}
{_patterns(report)}
<script>{_SCRIPT}</script>
</body></html>
"""


def _findings(report: ArchitectureReport) -> str:
    rows = "\n".join(
        f'<tr><td class="{finding.severity.label}">{finding.severity.label}</td>'
        f"<td>{clean(finding.rule)}</td>"
        f"<td><code>{clean(finding.path)}:{report.line_of(finding)}</code></td>"
        f"<td>{clean(finding.message)}<br><small>{clean(finding.witness)}</small></td></tr>"
        for finding in report.findings[:MAX_FINDINGS]
    )
    more = len(report.findings) - MAX_FINDINGS
    note = f"<p>{more:,} more are in the JSON.</p>" if more > 0 else ""
    return f"<h2>{len(report.findings):,} findings</h2><table><tbody>{rows}</tbody></table>{note}"


def _patterns(report: ArchitectureReport) -> str:
    rows = "\n".join(
        f"<tr><td>{clean(match.pattern)}</td><td>{clean(match.symbol)}</td>"
        f"<td><code>{clean(match.path)}:{report.line_of(match.evidence[0])}</code></td>"
        f"<td>{clean('; '.join(each.message for each in match.evidence))}</td></tr>"
        for match in report.patterns[:MAX_FINDINGS]
    )
    return f"<h2>{len(report.patterns):,} patterns</h2><table><tbody>{rows}</tbody></table>"
