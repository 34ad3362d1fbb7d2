"""`nested-ray train CONFIG`: train the levels, evaluate them, register a nest version."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from nested_ray.config.storage import StorageConfig
from nested_ray.config.train import TrainConfig

if TYPE_CHECKING:
    from nested_ray.cli.ray_session import RaySession
    from nested_ray.registry import Registry
    from nested_ray.train.reporter import Reporter
    from nested_ray.train.run import RunResult

ConfigArgument = Annotated[Path, typer.Argument(help="One YAML file is one complete run.")]
CorpusOption = Annotated[
    str | None,
    typer.Option(
        help="Learn this instead of the config's sources: PATH, git:PATH@REVISION, git:PATH@OLD..NEW (files "
        "changed between two commits), package:NAME or completions:FILE (accepted completions, JSONL)."
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="NEST[@REF]",
        help="Go on from a registered version (a number or an alias) instead of random weights: the config's corpus "
        "is learned on top, old code is replayed, forgetting is measured. `champion` alone means that alias of the "
        "config's own nest.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one setting: --set distill.weight=0.3 (repeatable)."),
]
FreshOption = Annotated[
    bool, typer.Option(help="Start a new run even if an unfinished one could go on.")
]


def train(
    config: ConfigArgument,
    parent: FromOption = None,
    corpus: CorpusOption = None,
    overrides: SetOption = None,
    solo: Annotated[bool, typer.Option(help="Train without exchange, for comparison.")] = False,
    fresh: FreshOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train the levels side by side and register what they learned as one nest version.

    A run that was killed goes on where it stood when the same command is given again.

    With --from a registered nest learns a new corpus: nested-ray train --from champion CONFIG --corpus git:.@v1..v2
    """
    from nested_ray.cli.progress import ConsoleReporter
    from nested_ray.observability.logs import setup

    setup()
    settings = load_config(config, corpus, overrides or [], parent)
    storage = StorageConfig.from_env()
    reporter = ConsoleReporter(Console(stderr=True))
    with ExitStack() as stack:
        _, registry = open_cluster(stack, storage, reporter)
        from nested_ray.train.run import run

        result = run(
            settings, registry, home=storage.home, reporter=reporter, solo=solo, fresh=fresh
        )
    print_result(result, as_json)


def open_cluster(
    stack: ExitStack, storage: StorageConfig, reporter: Reporter
) -> tuple[RaySession, Registry]:
    """Ray and the registry, both closed with the stack; says what it waits for."""
    from nested_ray.cli.ray_session import ray_session
    from nested_ray.registry import connect
    from nested_ray.registry.status import end_if_unused

    stack.callback(end_if_unused, storage)  # entered first, so it comes last: Ray has ended by then
    with reporter.stage("starting Ray"):
        session = stack.enter_context(ray_session(storage.home))
    with reporter.stage("opening the registry"):
        registry = stack.enter_context(connect(storage))
        registry.check()
    return session, registry


def load_config(
    path: Path, corpus: str | None, overrides: list[str], parent: str | None = None
) -> TrainConfig:
    """The file's settings, with `--from`, `--corpus` and then `--set` applied.

    `--corpus` replaces the sources and what the file includes and excludes of them; sizes, languages and
    splits stay.
    """
    if parent is not None:
        overrides = [f"continual.parent={json.dumps(parent)}", *overrides]
    if corpus is not None:
        from nested_ray.corpus.sources import parse_source

        source = parse_source(corpus).model_dump_json()
        emptied = ("corpus.filters.include=[]", "corpus.filters.exclude=[]")
        overrides = [f"corpus.sources=[{source}]", *emptied, *overrides]
    return TrainConfig.from_yaml(path, overrides)


def print_result(result: RunResult, as_json: bool) -> None:
    """The version on stdout: a line for people, or everything for machines."""
    if as_json:
        typer.echo(json.dumps(result.to_dict(), ensure_ascii=False))
    else:
        typer.echo(f"registered {result.version.label} ({', '.join(result.version.aliases)})")
