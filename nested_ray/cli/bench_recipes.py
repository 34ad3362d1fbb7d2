"""`nested-ray bench training recipes`: training configs at equal processor time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def recipes(
    configs: Annotated[
        list[Path],
        typer.Argument(help="Training configs, each measured after the other.", exists=True),
    ],
    cpu_minutes: Annotated[
        float, typer.Option(min=0.1, help="Of training, all levels of a config together.")
    ] = 12.0,
    corpus: Annotated[
        str | None,
        typer.Option(
            help="For all of them: PATH, git:PATH@REVISION or package:NAME. [default: each its own]",
            show_default=False,
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one setting of all: --set evaluation.max_lines=100."),
    ] = None,
    home: Annotated[
        Path, typer.Option(help="Where what was prepared is kept, for the next measurement.")
    ] = Path(".nested-ray/bench-recipes"),
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """What different recipes reach on the same held-out code after the same processor time.

    One process, one thread, no Ray: the levels take turns and hear of each other. All counts of steps are cut in
    one proportion, so every level gets the share of the time that its config gives it. Needs no quiet
    machine for the quality, only for the seconds a step.
    """
    import json as jsonlib

    from rich.console import Console

    from nested_ray.benchmarks.recipes import measure_recipe, to_markdown
    from nested_ray.cli.progress import ConsoleReporter
    from nested_ray.cli.train import load_config

    chosen = [load_config(path, corpus, overrides or []) for path in configs]
    reporter = ConsoleReporter(Console(stderr=True))
    results = []
    for config in chosen:
        result = measure_recipe(config, cpu_seconds=60 * cpu_minutes, home=home, reporter=reporter)
        results.append(result)
        if not json:
            typer.echo(to_markdown(result))
    if json:
        typer.echo(jsonlib.dumps([result.to_dict() for result in results], indent=1))
