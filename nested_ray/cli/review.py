"""`nested-ray review`: what the levels find in a tree, in a change or in one text."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """What the findings are written as."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    RDJSON = "rdjson"


class Fail(StrEnum):
    """From which severity on the exit code is 1."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    NEVER = "never"


WHAT, HOW, OUTPUT, RULES = "What is reviewed", "What is said", "Where it goes", "Rules"


def review(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help="Files or folders; default: the repository here."),
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(
            metavar="REV[..REV]",
            help="Only what changed since a revision, between two, or (REV...REV) since they parted.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    staged: Annotated[
        bool,
        typer.Option(
            "--staged", help="Only what is staged for the next commit.", rich_help_panel=WHAT
        ),
    ] = False,
    stdin: Annotated[
        bool,
        typer.Option(
            "--stdin",
            help="Read a unified diff, or with --stdin-filename the text of one file.",
            rich_help_panel=WHAT,
        ),
    ] = False,
    stdin_filename: Annotated[
        Path | None,
        typer.Option(
            metavar="NAME", help="What the text on stdin is called.", rich_help_panel=WHAT
        ),
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL,...",
            help="syntax, semantics, architecture; default: all, or what the config says.",
            rich_help_panel=HOW,
        ),
    ] = None,
    nest: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="Add what a registered nest learned: NEST, NEST@ALIAS or NEST@VERSION.",
            rich_help_panel=HOW,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Settings; default: the nearest nested-ray.yaml here or above.",
            rich_help_panel=HOW,
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Change one setting: --set min_confidence=0.8 (repeatable).",
            rich_help_panel=HOW,
        ),
    ] = None,
    max_findings: Annotated[
        int | None,
        typer.Option(help="The noise budget, in all and per file.", rich_help_panel=HOW),
    ] = None,
    fail_on: Annotated[
        Fail | None,
        typer.Option(help="Exit with 1 from this severity on.", rich_help_panel=HOW),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(help="Findings in this file are known.", rich_help_panel=HOW),
    ] = None,
    write_baseline: Annotated[
        Path | None,
        typer.Option(
            help="Write everything found to a baseline and exit with 0.", rich_help_panel=OUTPUT
        ),
    ] = None,
    format: Annotated[
        Format, typer.Option(help="What the findings are written as.", rich_help_panel=OUTPUT)
    ] = Format.TEXT,
    as_json: Annotated[
        bool, typer.Option("--json", help="Short for --format json.", rich_help_panel=OUTPUT)
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A file instead of stdout.", rich_help_panel=OUTPUT),
    ] = None,
    list_rules: Annotated[
        bool, typer.Option("--list-rules", help="Name every rule.", rich_help_panel=RULES)
    ] = False,
    explain: Annotated[
        str | None,
        typer.Option(metavar="RULE", help="Say what a rule means.", rich_help_panel=RULES),
    ] = None,
) -> None:
    """Review code: a tree, a change, or one text.

    \b
    nested-ray review src                     everything under a folder
    nested-ray review --diff HEAD             what is not committed yet
    nested-ray review --diff origin/main...   what a branch brings
    nested-ray review --staged                what the next commit brings
    git diff | nested-ray review --stdin      what a diff brings

    Of a change only findings that it is the cause of are posted, wherever they are.

    \b
    Exit code: 0 nothing as severe as --fail-on, 1 something, 2 the command cannot be carried out.
    """
    from nested_ray.cli.review_run import Asked, main

    ways = [diff is not None, staged, stdin or stdin_filename is not None]
    if sum(ways) > 1:
        raise typer.BadParameter("give one of --diff, --staged and --stdin")
    if write_baseline is not None and any(ways):
        raise typer.BadParameter("a baseline is written of a whole tree; leave out the change")
    changes = [*(overrides or ()), *_overrides(levels, max_findings, fail_on)]
    asked = Asked(
        named=tuple(paths or ()),
        diff=diff,
        is_staged=staged,
        is_stdin=ways[2],
        stdin_filename=stdin_filename,
        nest=nest,
        config=config,
        overrides=tuple(changes),
        baseline=baseline,
        write_baseline=write_baseline,
        format="json" if as_json else format.value,
        output=output,
        list_rules=list_rules,
        explain=explain,
    )
    raise typer.Exit(main(asked))


def _overrides(levels: str | None, max_findings: int | None, fail_on: Fail | None) -> Iterator[str]:
    """The options that are short for a setting, as --set writes them."""
    if levels is not None:
        yield f"levels=[{levels}]"
    if max_findings is not None:
        yield f"max_findings={max_findings}"
        yield f"max_findings_per_file={max_findings}"
    if fail_on is not None:
        yield f"fail_on={fail_on.value}"
