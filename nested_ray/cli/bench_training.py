"""`nested-ray bench training`: what training choices are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="What training choices are worth.")


@app.callback()
def _training() -> None:
    """What training choices are worth."""


@app.command("lr")
def lr(
    dataset: Annotated[
        Path,
        typer.Argument(
            help="A level's datasets, such as .nested-ray/runs/quickstart-1/datasets/DIGEST/levels/syntax.",
            exists=True,
            file_okay=False,
        ),
    ],
    vocab_size: Annotated[int, typer.Option(min=1, help="Of the tokenizer of the run.")] = 4096,
    preset: Annotated[str, typer.Option(help="Size of the level.")] = "nano",
    peak: Annotated[
        list[float] | None,
        typer.Option(
            help="A fixed peak; repeat for a grid. [default: 7 from 0.0004 to 0.04]",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Updates per run.")] = 100,
    batch_size: Annotated[int, typer.Option(min=1, help="Windows per update.")] = 4,
    heldout_rows: Annotated[int, typer.Option(min=1, help="Windows to measure on.")] = 48,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Adaptive learning rates beside a grid of fixed ones, on the same batches of a run's dataset."""
    import json as jsonlib
    from dataclasses import asdict

    import torch
    from rich.console import Console

    from nested_ray.cli.progress import stage_bars
    from nested_ray.models import PRESETS
    from nested_ray.train.lr_comparison import compare_lr, to_markdown

    if preset not in PRESETS:
        raise typer.BadParameter(f"preset must be one of {', '.join(PRESETS)}")
    torch.set_num_threads(1)
    bars = stage_bars(Console(stderr=True))
    task = bars.add_task("", total=None)
    with bars:
        comparison = compare_lr(
            dataset,
            peak or [4e-4 * 100 ** (place / 6) for place in range(7)],
            preset=preset,
            vocab_size=vocab_size,
            steps=steps,
            batch_size=batch_size,
            heldout_rows=heldout_rows,
            on_run=lambda done, total, name: bars.update(
                task, description=name, completed=done, total=total
            ),
        )
    if json:
        typer.echo(jsonlib.dumps(asdict(comparison), indent=1))
    else:
        typer.echo(to_markdown(comparison))
