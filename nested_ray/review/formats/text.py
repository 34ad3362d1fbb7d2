"""Findings for people: place, message, the lines with carets, and what was left unsaid."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

from rich.cells import cell_len

from nested_ray.analyzers.findings import Location, Severity
from nested_ray.languages.base import Span
from nested_ray.review.report import Remark, ReviewReport

Paint = Callable[[str, str], str]
"""Gives a text in a style: a severity's label, `dim` or `bold`."""

TAB_WIDTH = 4
MAX_COLUMNS = 100
"""Of a line of code; what is longer is shown around the finding."""
MAX_RELATED = 5
CODES = {"error": "1;31", "warning": "1;33", "note": "1;36", "dim": "2", "bold": "1"}


def plain(text: str, style: str) -> str:
    return text


def coloured(text: str, style: str) -> str:
    """The text between ANSI codes."""
    return f"\x1b[{CODES[style]}m{text}\x1b[0m"


def render_text(
    report: ReviewReport, *, paint: Paint = plain, shown_path: Callable[[str], str] = str
) -> str:
    """The report for a terminal or a log; `shown_path` turns a path into what the reader can open."""
    parts = [_remark(report, remark, paint, shown_path) for remark in report.remarks]
    parts.append("\n".join(summary_lines(report, paint)) + "\n")
    return "\n".join(parts)


def _remark(
    report: ReviewReport, remark: Remark, paint: Paint, shown_path: Callable[[str], str]
) -> str:
    finding = remark.finding
    place = _place(report, finding.path, finding.span, shown_path)
    label = paint(finding.severity.label, finding.severity.label)
    tags = [finding.rule, *(level for level in remark.levels if level != finding.level)]
    if finding.confidence < 1:
        tags.append(f"{finding.confidence:.0%}")
    tail = paint(f"[{', '.join(tags)}]", "dim")
    lines = [f"{paint(place, 'bold')}: {label}: {printable(finding.message)} {tail}"]
    lines += excerpt(report, finding.path, finding.span, paint, finding.severity.label)
    lines += [f"    {line}" for line in printable_lines(finding.witness)]
    lines += [f"    also: {printable(each.message)} [{each.rule}]" for each in remark.also]
    if finding.fix is not None:
        lines.append(f"    fix: {printable(finding.fix.description)}")
    lines += _related(report, finding.related, shown_path)
    return "\n".join(lines) + "\n"


def _place(report: ReviewReport, path: str, span: Span, shown_path: Callable[[str], str]) -> str:
    region = report.lines(path).region(span)
    return f"{printable(shown_path(path))}:{region.start_line}:{region.start_column}"


def _related(
    report: ReviewReport, related: tuple[Location, ...], shown_path: Callable[[str], str]
) -> Iterator[str]:
    for place in related[:MAX_RELATED]:
        where = _place(report, place.path, place.span, shown_path)
        yield f"    see {where}{': ' + printable(place.message) if place.message else ''}"
    if len(related) > MAX_RELATED:
        yield f"    and {len(related) - MAX_RELATED} more places"


def excerpt(
    report: ReviewReport, path: str, span: Span, paint: Paint = plain, style: str = "note"
) -> Iterator[str]:
    """The first line of a span with carets under it, one for an empty span."""
    lines = report.lines(path)
    if not lines.text:
        return
    region = lines.region(span)
    number = region.start_line
    text = lines.line(number)
    start = region.start_column - 1
    end = region.end_column - 1 if region.end_line == number else len(text)
    before, marked, after = _cut(text, start, max(end, start))
    gutter = f"{number:>5} | "
    shown = printable(before) + printable(marked) + printable(after)
    carets = "^" * max(cell_len(printable(marked)), 1)
    yield paint(gutter, "dim") + shown.rstrip()
    blank = " " * cell_len(printable(before))
    yield paint(" " * (len(gutter) - 2) + "| ", "dim") + blank + paint(carets, style)


def _cut(text: str, start: int, end: int) -> tuple[str, str, str]:
    """The parts before, in and after a span, shortened to about MAX_COLUMNS characters around it."""
    if len(text) <= MAX_COLUMNS:
        return text[:start], text[start:end], text[end:]
    end = min(end, start + MAX_COLUMNS)
    first = max(0, min(start - MAX_COLUMNS // 4, len(text) - MAX_COLUMNS))
    last = min(len(text), max(end, first + MAX_COLUMNS))
    head = ("…" if first else "") + text[first:start]
    return head, text[start:end], text[end:last] + ("…" if last < len(text) else "")


def printable(text: str) -> str:
    """The text without what would move the cursor, change colours or turn the reading direction."""
    text = text.replace("\t", " " * TAB_WIDTH)
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        "�" if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") else each
        for each in text
    )


def printable_lines(text: str) -> list[str]:
    return [printable(line) for line in text.split("\n")] if text else []


def summary_lines(report: ReviewReport, paint: Paint = plain) -> Iterator[str]:
    """What was posted, and what was not and why."""
    counts = [
        paint(_counted(report.counts[severity.label], severity.label), severity.label)
        for severity in sorted(Severity, reverse=True)
        if report.counts[severity.label]
    ]
    asked = f"{_counted(report.num_files, 'file')} reviewed ({', '.join(report.levels)})"
    yield f"{', '.join(counts) or 'nothing found'} · {asked}"
    if report.held_back:
        yield (
            f"{_counted(len(report.held_back), 'finding')} held back by the noise budget, the weightiest "
            f"of them {report.held_back[0].finding.severity.label}s; --max-findings N shows more"
        )
    quiet = [
        (len(report.known), "in the baseline"),
        (report.num_unrelated, "not caused by the change"),
        (len(report.suppressed), "suppressed in the code"),
    ]
    if said := ", ".join(f"{number:,} {why}" for number, why in quiet if number):
        yield f"not shown: {said}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
