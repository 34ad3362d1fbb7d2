"""`nested-ray bench`: the measurements behind the pages in benchmarks/."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nested_ray.cli import bench_architecture, bench_semantics, bench_training

if TYPE_CHECKING:
    from nested_ray.repository.base import SourceFile

app = typer.Typer(no_args_is_help=True, help="Measure what the levels prove and learn.")
levels = typer.Typer(no_args_is_help=True, help="One command per level.")
app.add_typer(levels, name="levels", help="What each level proves without a model, with baselines.")
app.add_typer(bench_training.app, name="training")


@app.callback()
def _bench() -> None:
    """Measure what the levels prove and learn."""


levels.command("architecture")(bench_architecture.architecture)
levels.command("semantics")(bench_semantics.semantics)


@levels.callback()
def _levels() -> None:
    """One command per level."""


CorpusOption = Annotated[
    list[str] | None,
    typer.Option(
        "--corpus",
        metavar="SOURCE",
        help="PATH, git:PATH@REVISION or package:NAME; may be repeated. [default: package:stdlib]",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Also write the tables (or the JSON) to this file.")
]


@levels.command("syntax")
def syntax(
    corpus: CorpusOption = None,
    mutations: Annotated[int, typer.Option(min=0, help="Changed texts per language.")] = 2_000,
    repairs: Annotated[int, typer.Option(min=0, help="About how many of them to repair.")] = 400,
    seed: Annotated[int, typer.Option(help="Which changes are made.")] = 0,
    json: JsonOption = False,
    out: OutOption = None,
) -> None:
    """False alarms, changed texts found and repaired, and speed, on files taken to be valid.

    Every file of the corpus counts, also generated ones and duplicates; those in a test folder that are
    broken on purpose show up as false alarms.
    """
    import json as jsonlib
    from dataclasses import asdict

    from nested_ray.cli.progress import one_bar
    from nested_ray.evals.syntax import measure_syntax
    from nested_ray.evals.syntax_table import to_markdown

    files = read_corpus(corpus or ["package:stdlib"])
    reports = []
    with one_bar() as on_progress:
        for language in sorted({file.language for file in files}):
            chosen = [file for file in files if file.language == language]
            reports.append(
                measure_syntax(
                    chosen,
                    num_mutations=mutations,
                    num_repairs=repairs,
                    seed=seed,
                    on_progress=on_progress,
                )
            )
    if json:
        text = jsonlib.dumps([asdict(report) for report in reports], ensure_ascii=False, indent=1)
    else:
        text = "\n".join(to_markdown(report) for report in reports)
    typer.echo(text)
    if out is not None:
        from nested_ray.files import write_text

        write_text(out, text + "\n")


def read_corpus(sources: list[str]) -> list[SourceFile]:
    """Every readable file of a known language, by source and path; a usage error when there is none."""
    from nested_ray.corpus.filters import decode
    from nested_ray.corpus.sources import open_source, parse_source
    from nested_ray.languages import language_of
    from nested_ray.repository.base import SourceFile

    found: list[SourceFile] = []
    for source in sources:
        with open_source(parse_source(source)).listing() as files:
            for file in files:
                language = language_of(file.path)
                if language is None:
                    continue
                try:
                    text = decode(file.read(), language.name)
                except OSError:
                    continue
                if isinstance(text, str):
                    found.append(SourceFile(file.path, language.name, text))
    if not found:
        raise typer.BadParameter(f"no Python or BSL files in {', '.join(sources)}")
    return found
