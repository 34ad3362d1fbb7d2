"""One run of `nested-ray review`: settings → request → report → output and exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from nested_ray.analyzers.findings import Rule
from nested_ray.cli.folders import cache_folder
from nested_ray.cli.review_progress import ReviewProgress
from nested_ray.config.review import ReviewConfig, load_config
from nested_ray.corpus.filters import Refusal, decode
from nested_ray.errors import ConfigError, InvalidRequest, NestedRayError
from nested_ray.files import write_text
from nested_ray.review import Baseline, Reviewers, ReviewReport, review
from nested_ray.review.baseline import render_baseline
from nested_ray.review.levels import build_reviewers
from nested_ray.review.requests import (
    Request,
    find_root,
    request_patch,
    request_range,
    request_staged,
    request_text,
    request_tree,
    within,
)

MAX_STDIN_BYTES = 100_000_000


@dataclass(frozen=True)
class Asked:
    """The command line."""

    named: tuple[Path, ...]
    diff: str | None
    is_staged: bool
    is_stdin: bool
    stdin_filename: Path | None
    nest: str | None
    config: Path | None
    overrides: tuple[str, ...]
    baseline: Path | None
    write_baseline: Path | None
    format: str
    output: Path | None
    list_rules: bool
    explain: str | None

    @property
    def is_change(self) -> bool:
        """Whether a change is reviewed, and not what lies there."""
        is_diff = self.is_stdin and self.stdin_filename is None
        return self.diff is not None or self.is_staged or is_diff


def main(asked: Asked) -> int:
    """Carry it out; 1 when something severe was found, else 0.

    Raises ConfigError, which exits with 2, for whatever keeps it from being carried out.
    """
    try:
        return _run(asked)
    except (NestedRayError, OSError) as exc:
        raise ConfigError(str(exc)) from exc


def _run(asked: Asked) -> int:
    settings, folder = load_config(_start(asked), asked.config, asked.overrides)
    if asked.list_rules or asked.explain is not None:
        rules = build_reviewers(settings).rules
        if asked.explain not in {rule.id for rule in rules}:
            rules = (*rules, *learned_rules(settings))
        print_rules(rules, asked.explain, as_json=asked.format == "json")
        return 0
    baseline = read_baseline(asked, settings, folder)
    with ReviewProgress(Console(stderr=True)) as progress:
        request = read_request(asked, progress)
        report = review(
            request.files,
            config=settings,
            reviewers=find_reviewers(asked, settings, progress),
            change=request.change,
            paths=request.paths,
            metadata=request.metadata,
            unread=request.unread,
            baseline=baseline,
            cache_dir=cache_folder(),
            on_progress=progress.step,
        )
    if asked.write_baseline is not None:
        write_text(asked.write_baseline, render_baseline(report.all_remarks))
        _say(f"{len(report.all_remarks):,} findings are known now: {asked.write_baseline}")
        return 0
    write_report(render(report, asked, request), asked.output)
    if baseline is not None and request.change is None:
        _say_gone(baseline, report, request)
    return 1 if report.fails(settings.fail_on) else 0


def find_reviewers(asked: Asked, settings: ReviewConfig, progress: ReviewProgress) -> Reviewers:
    """The analyzers of the levels, and what the nest learned when one is named."""
    if asked.nest is None:
        return build_reviewers(settings, is_change=asked.is_change)
    from nested_ray.cli.review_nest import load_nest

    parts = load_nest(asked.nest, settings.levels, lambda step: progress.step(step, 0, None))
    for each in parts.missing:
        _say(f"note: {each}; train the nest again to have it")
    return build_reviewers(
        settings,
        detectors=parts.detectors,
        scorer=parts.scorer,
        placement=parts.placement,
        is_change=asked.is_change,
    )


def _start(asked: Asked) -> Path:
    """The folder whose settings hold."""
    named = asked.named[0] if asked.named else asked.stdin_filename or Path()
    place = named.expanduser().absolute()
    return place if place.is_dir() else place.parent


def read_request(asked: Asked, progress: ReviewProgress) -> Request:
    """What the command line names, read."""
    start = _start(asked)
    root = find_root(start)
    if asked.diff is not None:
        request = request_range(root or start, asked.diff, on_file=progress.on_file)
    elif asked.is_staged:
        request = request_staged(root or start, on_file=progress.on_file)
    elif asked.stdin_filename is not None:
        return request_text(root, asked.stdin_filename, read_stdin(), on_file=progress.on_file)
    elif asked.is_stdin:
        patch = decode(read_stdin(), "bsl")  # UTF-8, or Windows-1251 as 1C writes it
        if isinstance(patch, Refusal):
            raise InvalidRequest(f"the diff on stdin is no text ({patch.detail or patch.reason})")
        request = request_patch(root or start, patch, on_file=progress.on_file)
    else:
        return request_tree(asked.named or (root or start,), on_file=progress.on_file)
    return within(request, [path.expanduser().absolute() for path in asked.named])


def read_stdin() -> bytes:
    data = sys.stdin.buffer.read(MAX_STDIN_BYTES + 1)
    if len(data) > MAX_STDIN_BYTES:
        raise InvalidRequest(f"stdin holds more than {MAX_STDIN_BYTES:,} bytes")
    return data


def read_baseline(asked: Asked, settings: ReviewConfig, folder: Path) -> Baseline | None:
    """The baseline that is named, or the config's; none while one is written."""
    if asked.write_baseline is not None:
        return None
    if asked.baseline is not None:
        return Baseline.read(asked.baseline)
    return Baseline.read(folder / settings.baseline) if settings.baseline else None


def render(report: ReviewReport, asked: Asked, request: Request) -> str:
    """The report in the format asked for."""
    from nested_ray.review import formats

    if asked.format == "text":
        console = Console()
        is_coloured = asked.output is None and console.is_terminal and not console.no_color
        return formats.render_text(
            report,
            paint=formats.coloured if is_coloured else formats.plain,
            shown_path=lambda path: os.path.relpath(request.root / path),
        )
    renderers = {
        "json": formats.render_json,
        "sarif": formats.render_sarif,
        "rdjson": formats.render_rdjson,
    }
    return renderers[asked.format](report)


def write_report(text: str, output: Path | None) -> None:
    """UTF-8, whatever the locale: machines read it."""
    if output is not None:
        write_text(output, text)
    else:
        typer.echo(text.encode("utf-8", "replace"), nl=False)


def learned_rules(settings: ReviewConfig) -> list[Rule]:
    """The rules that a nest adds."""
    if "semantics" not in settings.levels:
        return []
    from nested_ray.bugs.rules import RULES  # loads torch

    return list(RULES.values())


def print_rules(rules: Sequence[Rule], explain: str | None, *, as_json: bool) -> None:
    """All rules in a line each, or one in full; ConfigError for one that does not exist."""
    chosen = sorted(rules, key=lambda rule: rule.id)
    if explain is not None:
        chosen = [rule for rule in chosen if rule.id == explain]
        if not chosen:
            raise ConfigError(
                f"no rule is called {explain!r}; `nested-ray review --list-rules` names them"
            )
    if as_json:
        rows = [
            {
                "id": rule.id,
                "severity": rule.severity.label,
                "languages": list(rule.languages),
                "summary": rule.summary,
                "help": rule.help,
                "is_learned": rule.is_learned,
            }
            for rule in chosen
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    elif explain is not None:
        typer.echo(f"{_heading(chosen[0])}\n\n{chosen[0].summary}\n{chosen[0].help}")
    else:
        width = max(len(rule.id) for rule in chosen)
        for rule in chosen:
            typer.echo(f"{rule.id:<{width}}  {rule.severity.label:<7}  {rule.summary}")


def _heading(rule: Rule) -> str:
    languages = ", ".join(rule.languages) or "every language"
    origin = "suspected by a model" if rule.is_learned else "proven"
    return f"{rule.id} ({rule.severity.label}; {languages}; {origin})"


def _say_gone(baseline: Baseline, report: ReviewReport, request: Request) -> None:
    reviewed = {file.path for file in request.files} if request.paths is None else request.paths
    if num_gone := baseline.gone(report.all_remarks, reviewed):
        _say(f"{num_gone:,} findings of the baseline are gone; --write-baseline makes it smaller")


def _say(text: str) -> None:
    typer.echo(text, err=True)
