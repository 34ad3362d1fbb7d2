"""`nested-ray parse FILE`: what a file is made of, as a tree or as JSON."""

from __future__ import annotations

from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nested_ray.cli.code_files import CodeFile
    from nested_ray.languages.bsl.queries import Query

_INSIDE_QUERIES = ("tokens", "offsets")
"""Of a query, what only programs that colour or map it need."""


class View(Enum):
    """What of a file is shown."""

    OUTLINE = "outline"
    TOKENS = "tokens"
    SYMBOLS = "symbols"
    QUERIES = "queries"


def parse(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file; `-` reads stdin.")],
    view: Annotated[
        View,
        typer.Option(
            "--as",
            help="outline: definitions and imports; tokens: every token with its place; symbols: "
            "scopes, what they bind and who uses it; queries: query texts inside strings (BSL).",
        ),
    ] = View.OUTLINE,
    language: Annotated[
        str | None, typer.Option(help="python or bsl; else the extension decides.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print everything about this view as JSON.")
    ] = False,
) -> None:
    """Show what a file is made of. Broken files are shown as far as they can be understood.

    Places are `line:column`, both from one; in JSON they are character offsets into the decoded text.
    Exit code 1 when the file does not parse: `nested-ray validate` says more.
    """
    import json as jsonlib

    from nested_ray.cli.code_files import Lines, check_language, read_code

    code = read_code(file, check_language(language))
    if code.refusal:
        typer.echo(f"error: {file} cannot be read as text ({code.refusal})", err=True)
        raise typer.Exit(1)
    issue = code.language.check(code.text)
    if json:
        values = {"path": file, "language": code.language.name, "issue": issue and asdict(issue)}
        values[view.value] = _values(code, view)
        typer.echo(jsonlib.dumps(values, ensure_ascii=False, indent=2))
    else:
        _show(code, view)
    if issue:
        line, column = Lines(code.text).at(issue.span.start)
        typer.echo(f"{file}:{line}:{column}: {issue.message}", err=True)
        raise typer.Exit(1)


def queries_of(code: CodeFile) -> tuple[Query, ...]:
    """Queries in the strings of a BSL module; a usage error for other languages, which have none."""
    from nested_ray.languages.bsl import Bsl

    if not isinstance(code.language, Bsl):
        raise typer.BadParameter(f"{code.language.name} has no query language; queries are BSL's")
    return code.language.queries(code.text)


def _values(code: CodeFile, view: View) -> Any:
    """The view as JSON holds it."""
    if view is View.OUTLINE:
        return asdict(code.language.outline(code.text))
    if view is View.SYMBOLS:
        return asdict(code.language.symbols(code.text))
    if view is View.QUERIES:
        return [
            {name: value for name, value in asdict(query).items() if name not in _INSIDE_QUERIES}
            for query in queries_of(code)
        ]
    return [
        {
            "kind": token.kind.value,
            "start": token.span.start,
            "end": token.span.end,
            "text": code.text[token.span.start : token.span.end],
        }
        for token in code.language.tokens(code.text)
    ]


def _show(code: CodeFile, view: View) -> None:
    from rich.console import Console

    from nested_ray.cli import code_trees

    console = Console(soft_wrap=True, highlight=False)
    if view is View.OUTLINE:
        console.print(code_trees.outline_tree(code))
    elif view is View.SYMBOLS:
        console.print(code_trees.symbol_tree(code))
    elif view is View.QUERIES:
        console.print(code_trees.query_tree(code, queries_of(code)))
    else:
        for line in code_trees.token_lines(code):
            typer.echo(line)
