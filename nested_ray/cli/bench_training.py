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


@app.command("side-by-side")
def side_by_side(
    config: Annotated[Path, typer.Argument(help="A training config, such as quickstart's.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one setting of the config (repeatable)."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Wall clock, start-up and memory of the levels trained at once, beside each of them alone."""
    import json as jsonlib
    import shutil
    from contextlib import ExitStack, closing
    from dataclasses import asdict

    from rich.console import Console

    from nested_ray.cli.progress import ConsoleReporter
    from nested_ray.cli.train import load_config, open_cluster
    from nested_ray.config.storage import StorageConfig

    settings = load_config(config, None, overrides or [])
    settings = settings.model_copy(update={"name": f"{settings.name}-walls"})
    storage, reporter = StorageConfig.from_env(), ConsoleReporter(Console(stderr=True))
    with ExitStack() as stack:
        _, registry = open_cluster(stack, storage, reporter)
        from nested_ray.train.prepare import prepare
        from nested_ray.train.rundir import open_run
        from nested_ray.train.side_by_side import compare_walls, to_markdown

        run_dir = stack.enter_context(
            closing(open_run(storage.home, settings, solo=False, fresh=False))
        )
        prepared = prepare(settings, run_dir, reporter, registry)
        folder = run_dir.path / "walls"
        shutil.rmtree(folder, ignore_errors=True)  # a training would only go on where it stood
        result = compare_walls(
            settings,
            prepared,
            folder,
            on_run=lambda done, total, name: reporter.note(f"{done + 1} of {total}: {name}"),
        )
    typer.echo(jsonlib.dumps(asdict(result), indent=1) if json else to_markdown(result))


@app.command("together")
def together(
    run_dir: Annotated[
        Path,
        typer.Argument(
            help="A finished run, such as .nested-ray/runs/quickstart-1: its settings and datasets.",
            exists=True,
            file_okay=False,
        ),
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions; intervals need two.")] = 3,
    points: Annotated[int, typer.Option(min=1, help="Held-out measurements per run.")] = 10,
    heldout_rows: Annotated[int, typer.Option(min=1, help="Windows to measure on.")] = 32,
    level: Annotated[
        list[str] | None, typer.Option(help="Only this level; repeat for several. [default: all]")
    ] = None,
    frozen: Annotated[
        str | None, typer.Option(help="A level that teaches with the weights it starts from.")
    ] = None,
    level_3_sees: Annotated[
        str | None,
        typer.Option(
            help="`window`: also train beside a last level that sees no more than the first one."
        ),
    ] = None,
    bad_peer: Annotated[
        str | None,
        typer.Option(help="Also train beside this level with random weights that never learn."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one setting: --set distill.weight=0.3 (repeatable)."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="JSON lines of finished runs; the same command goes on from them."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Levels trained together beside each of them alone, on the same batches in one process.

    The levels take turns: the next step is made by the one that has the smallest share of its budget
    behind it. Each level's twin alone trains on the same batches in the same order; at equal compute
    it makes as many steps more as the exchange took processor time for.
    """
    import json as jsonlib

    import torch
    from rich.console import Console

    from nested_ray.cli.progress import stage_bars
    from nested_ray.train.together_report import compare
    from nested_ray.train.together_runs import Runs, Setting

    setting = Setting.of_run(run_dir, overrides or [], levels=level)
    for name in (frozen, bad_peer):
        if name is not None and name not in setting.levels:
            raise typer.BadParameter(f"{name} is none of {', '.join(setting.levels)}")
    if level_3_sees not in (None, "window"):
        raise typer.BadParameter("--level-3-sees knows `window` alone")
    torch.set_num_threads(1)
    bars = stage_bars(Console(stderr=True))
    task = bars.add_task("", total=None)
    with bars:
        report = compare(
            Runs(
                setting,
                out=out,
                heldout_rows=heldout_rows,
                num_points=points,
                bad_peer=bad_peer,
                frozen=frozen,
                on_run=lambda name, done, total: bars.update(
                    task, description=name, completed=done, total=total
                ),
            ),
            seeds=range(seeds),
            last_sees_window=level_3_sees is not None,
        )
    typer.echo(jsonlib.dumps(report.to_json(), indent=1) if json else report.to_markdown())
