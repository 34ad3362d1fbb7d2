"""A syntax report as Markdown."""

from __future__ import annotations

from nested_ray.evals.syntax import KindCounts, SyntaxReport
from nested_ray.evals.timing import quantile

_MAX_LISTED = 5


def to_markdown(report: SyntaxReport) -> str:
    """Tables a person reads and a benchmark page holds."""
    lines = [
        f"### {report.language}: {report.num_files:,} files, {report.num_chars / 1e6:.1f} million characters",
        "",
        f"False alarms: {len(report.false_alarms)} of {report.num_files:,} files; "
        f"deceiving characters reported: {report.num_suspicious}.",
        *(f"- {alarm}" for alarm in report.false_alarms[:_MAX_LISTED]),
        "",
        f"Changed texts, judged by {report.judge}:",
        "",
        "| kind | made | broken | found % | placed % | false | repair asked | parses % | restores % | in five % |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(_kind_row(kind, counts) for kind, counts in report.kinds.items()),
        _kind_row("all", _sum(list(report.kinds.values()))),
        "",
        f"Repair: median {1000 * quantile(report.repair_seconds, 0.5):.0f} ms, "
        f"95 % within {1000 * quantile(report.repair_seconds, 0.95):.0f} ms of processor time.",
        "",
        *_speed_lines(report),
    ]
    return "\n".join(lines) + "\n"


def _kind_row(kind: str, counts: KindCounts) -> str:
    cells = [
        kind,
        f"{counts.num_made:,}",
        f"{counts.num_broken:,}",
        _percent(counts.num_found, counts.num_broken),
        _percent(counts.num_placed, counts.num_found),
        f"{counts.num_false}",
        f"{counts.num_asked:,}",
        _percent(counts.num_repaired, counts.num_asked),
        _percent(counts.num_restored, counts.num_asked),
        _percent(counts.num_among, counts.num_asked),
    ]
    return f"| {' | '.join(cells)} |"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else "–"


def _sum(counts: list[KindCounts]) -> KindCounts:
    total = KindCounts()
    for each in counts:
        for name, value in vars(each).items():
            setattr(total, name, getattr(total, name) + value)
    return total


def _speed_lines(report: SyntaxReport) -> list[str]:
    lines: list[str] = []
    if report.speed is not None:
        speeds = ", ".join(f"{name} {mb:.2f}" for name, mb in report.speed.mb_per_s.items())
        if report.speed.clean_share is None:
            baseline = "tree-sitter's grammar is not installed here"
        else:
            baseline = f"tree-sitter parses {100 * report.speed.clean_share:.2f} % of the files without error"
        lines.append(f"Speed in MB per second of processor time: {speeds}; {baseline}.")
    if report.insertion is not None:
        one = report.insertion
        lines.append(
            f"A completion checked in place, processor time ({one.num_places} places of a {one.num_lines:,}-line module): "
            f"median {one.median_ms:.2f} ms, 95 % within {one.p95_ms:.2f} ms, at most {one.max_ms:.1f} ms, "
            f"the first {one.first_ms:.1f} ms; the whole module takes {one.whole_ms:.1f} ms."
        )
    return lines
