"""`nested-ray validate FILE...`: does it parse, where does it break, what would repair it."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nested_ray.analyzers.findings import Finding
    from nested_ray.cli.code_files import CodeFile

_HINTED_FILES = 20
"""Repairs are looked for in so many broken files: each may take a second."""


def validate(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Files and folders; `-` reads stdin."),
    ],
    language: Annotated[
        str | None, typer.Option(help="python or bsl; else the extension decides.")
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write the repairs into the files they make parse.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what --fix would change; write nothing.")
    ] = False,
    hints: Annotated[
        bool, typer.Option(help=f"Name a repair, in the first {_HINTED_FILES} broken files.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False,
) -> None:
    """Say which files do not parse, where, and what was expected there.

    One line per problem: `path:line:column: message`. Exit code 0 when every file parses (after --fix,
    where it is given), 1 when one does not, 2 for wrong usage.

    A repair is a guess at what was meant; that the file parses with it is proven before it is shown.
    """
    import json as jsonlib

    from nested_ray.cli.code_files import check_language, list_paths, read_code

    wanted = check_language(language)
    if fix and "-" in files:
        raise typer.BadParameter("stdin cannot be fixed; use --diff")
    paths = list(list_paths(files, wanted))
    if not paths:
        raise typer.BadParameter(f"no Python or BSL files in {', '.join(files)}")
    problems: list[dict[str, Any]] = []
    num_broken = 0
    for path in _with_progress(paths):
        code = read_code(path, wanted)
        may_hint = hints and num_broken < _HINTED_FILES and not (fix or diff)
        found = list(_problems(code, with_fixes=may_hint))
        is_broken = any(problem["severity"] == "error" for problem in found)
        if not json:
            typer.echo("".join(map(_lines, found)), nl=False)
        if found and (fix or diff) and not code.refusal:
            is_broken &= not _repair(code, write=fix, as_diff=diff and not json)
        num_broken += is_broken
        problems += found
    if json:
        typer.echo(jsonlib.dumps(problems, ensure_ascii=False, indent=2))
    else:
        _summarise(len(paths), num_broken)
    if num_broken:
        raise typer.Exit(1)


def _with_progress(paths: list[str]) -> Iterator[str]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if len(paths) < 20 or not console.is_terminal:
        yield from paths
    else:
        yield from track(paths, "validating", console=console, transient=True)


def _problems(code: CodeFile, *, with_fixes: bool) -> Iterator[dict[str, Any]]:
    """What is wrong with one file."""
    from nested_ray.analyzers.syntax import SyntaxAnalyzer
    from nested_ray.cli.code_files import Lines

    if code.refusal:
        yield _problem(code.path, 1, 1, f"cannot be read as text ({code.refusal})")
        return
    lines = Lines(code.text)
    analyzer = SyntaxAnalyzer(with_fixes=with_fixes)
    for finding in analyzer.analyze_text(code.language, code.path, code.text):
        line, column = lines.at(finding.span.start)
        yield _problem(code.path, line, column, finding.message, finding)


def _problem(
    path: str, line: int, column: int, message: str, finding: Finding | None = None
) -> dict[str, Any]:
    from nested_ray.analyzers.findings import Severity

    severity = finding.severity if finding else Severity.ERROR
    fix = finding.fix if finding else None
    return {
        "path": path,
        "line": line,
        "column": column,
        "rule": finding.rule if finding else "syntax/invalid-text",
        "severity": severity.label,
        "message": message,
        "witness": finding.witness if finding else "",
        "fix": fix.description if fix else None,
        "edits": [
            {"start": edit.span.start, "end": edit.span.end, "text": edit.text}
            for edit in (fix.edits if fix else ())
        ],
    }


def _lines(problem: dict[str, Any]) -> str:
    place = f"{problem['path']}:{problem['line']}:{problem['column']}"
    label = "" if problem["severity"] == "error" else f"{problem['severity']}: "
    text = f"{place}: {label}{problem['message']}\n"
    if problem["witness"] and "expected" not in problem["message"]:
        text += f"    {problem['witness']}\n"
    return text + (f"    fix: {problem['fix']}\n" if problem["fix"] else "")


def _repair(code: CodeFile, *, write: bool, as_diff: bool) -> bool:
    """Whether the file parses now, because a repair was found and written."""
    from nested_ray.analyzers.syntax import mend, rewrite
    from nested_ray.files import write_file

    fix = mend(code.language, code.text)
    if fix is None:
        typer.echo(f"{code.path}: no repair found", err=True)
        return False
    if as_diff:
        typer.echo(_diff(code, fix.apply(code.text)), nl=False)
    if not write:
        return False
    data = rewrite(code.data, code.language.name, fix)
    if data is None:
        typer.echo(f"{code.path}: its encoding cannot hold the repair; not written", err=True)
        return False
    path = Path(code.path).resolve()  # a link stays a link

    def fill(aside: Path) -> None:
        aside.write_bytes(data)
        shutil.copymode(path, aside)

    write_file(path, fill)
    typer.echo(f"{code.path}: fixed ({fix.description})", err=True)
    return True


def _diff(code: CodeFile, after: str) -> str:
    lines = difflib.unified_diff(
        code.text.splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"a/{code.path}",
        f"b/{code.path}",
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _summarise(num_files: int, num_broken: int) -> None:
    files = f"{num_files:,} file" + "s" * (num_files != 1)
    typer.echo(
        f"{files}, {num_broken:,} invalid" if num_broken else f"{files}, all valid", err=True
    )
