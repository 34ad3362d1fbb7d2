"""`nested-ray corpus`: look at what would be learnt from before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nested_ray.config.corpus import CorpusConfig
    from nested_ray.corpus.documents import Corpus

app = typer.Typer(no_args_is_help=True, help="The code to learn from.")


@app.callback()
def _corpus() -> None:
    """The code to learn from."""


@app.command()
def check(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="PATH, git:PATH@REVISION, git:PATH@OLD..NEW (files changed between two commits), "
            "package:NAME (package:stdlib) or completions:FILE (accepted completions, JSONL).",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="A train config; its `corpus` gives filters, and the sources unless named here."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Say which files are accepted, which are refused and why, and how they are split."""
    import json as jsonlib

    from rich.console import Console

    from nested_ray.corpus.preflight import preflight, render

    report = preflight(_read(_config_of(sources or [], config)))
    if json:
        typer.echo(jsonlib.dumps(report.to_dict(), ensure_ascii=False, indent=2))
    else:
        Console().print(render(report))


def _config_of(sources: list[str], path: Path | None) -> CorpusConfig:
    """The corpus settings of a train config with the sources named on the command line."""
    from nested_ray.config.corpus import CorpusConfig
    from nested_ray.config.train import TrainConfig
    from nested_ray.corpus.sources import parse_source

    if not sources and path is None:
        raise typer.BadParameter(
            "name a source (PATH, git:PATH@REVISION, package:NAME) or --config"
        )
    named = tuple(parse_source(source) for source in sources)
    if path is None:
        return CorpusConfig(sources=named)
    corpus = TrainConfig.from_yaml(path).corpus
    return corpus.model_copy(update={"sources": named}) if named else corpus


def _read(config: CorpusConfig) -> Corpus:
    from rich.console import Console
    from rich.text import Text

    from nested_ray.corpus.build import build_corpus

    with Console(stderr=True).status("reading files") as status:
        return build_corpus(
            config, lambda count, path: status.update(Text(f"file {count:,}: {path}"))
        )
