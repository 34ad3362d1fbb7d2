"""`nested-ray bench training`: what training choices are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nested_ray.cli import bench_recipes, bench_training_speed

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

    from nested_ray.benchmarks.lr import compare_lr, to_markdown
    from nested_ray.cli.progress import one_bar
    from nested_ray.models import PRESETS

    if preset not in PRESETS:
        raise typer.BadParameter(f"preset must be one of {', '.join(PRESETS)}")
    torch.set_num_threads(1)
    with one_bar() as advance:
        comparison = compare_lr(
            dataset,
            peak or [4e-4 * 100 ** (place / 6) for place in range(7)],
            preset=preset,
            vocab_size=vocab_size,
            steps=steps,
            batch_size=batch_size,
            heldout_rows=heldout_rows,
            on_run=lambda done, total, name: advance(name, done, total),
        )
    if json:
        typer.echo(jsonlib.dumps(asdict(comparison), indent=1))
    else:
        typer.echo(to_markdown(comparison))


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

    from nested_ray.benchmarks.setting import Setting
    from nested_ray.benchmarks.together_report import compare
    from nested_ray.benchmarks.together_runs import Runs
    from nested_ray.cli.progress import one_bar

    setting = Setting.of_run(run_dir, overrides or [], levels=level)
    for name in (frozen, bad_peer):
        if name is not None and name not in setting.levels:
            raise typer.BadParameter(f"{name} is none of {', '.join(setting.levels)}")
    if level_3_sees not in (None, "window"):
        raise typer.BadParameter("--level-3-sees knows `window` alone")
    torch.set_num_threads(1)
    with one_bar() as advance:
        report = compare(
            Runs(
                setting,
                out=out,
                heldout_rows=heldout_rows,
                num_points=points,
                bad_peer=bad_peer,
                frozen=frozen,
                on_run=advance,
            ),
            seeds=range(seeds),
            last_sees_window=level_3_sees is not None,
        )
    typer.echo(jsonlib.dumps(report.to_json(), indent=1) if json else report.to_markdown())


@app.command("continual")
def continual(
    config: Annotated[
        Path,
        typer.Argument(help="A training config: its corpus is the old code, its levels the nest."),
    ],
    corpus: Annotated[
        str,
        typer.Option(
            help="The new code: PATH, git:PATH@REVISION, git:PATH@OLD..NEW, package:NAME."
        ),
    ],
    include: Annotated[
        list[str] | None,
        typer.Option(help="Only these paths of the new code, as in .gitignore (repeatable)."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change one setting: --set continual.lr_factor=0.5 (repeatable)."
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Old nests, each continued in every way.")] = 2,
    share: Annotated[
        float,
        typer.Option(min=0.01, help="Batches for new code, as a share of the levels' budgets."),
    ] = 0.5,
    heldout_rows: Annotated[int, typer.Option(min=1, help="Windows to measure on.")] = 24,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """What a nest forgets when it learns new code: with replay and per-level frequencies, and without.

    Trains the config's levels on its corpus, then goes on with the new one in four ways at equal tokens, all in
    one process, and compares the loss on old and new held-out code.
    """
    import json as jsonlib
    from dataclasses import asdict
    from tempfile import TemporaryDirectory

    import torch

    from nested_ray.benchmarks.continual import PairOfCorpora, compare_continual
    from nested_ray.benchmarks.continual_table import to_markdown
    from nested_ray.cli.progress import one_bar
    from nested_ray.cli.train import load_config
    from nested_ray.corpus.sources import parse_source

    settings = load_config(config, None, overrides or [])
    filters = settings.corpus.filters.model_copy(
        update={"include": tuple(include or ()), "exclude": ()}
    )
    new = settings.corpus.model_copy(
        update={"sources": (parse_source(corpus),), "filters": filters}
    )
    torch.set_num_threads(1)
    with one_bar() as advance, TemporaryDirectory(prefix="nested-ray-") as folder:
        comparison = compare_continual(
            PairOfCorpora.build(settings, new, Path(folder)),
            seeds=range(seeds),
            heldout_rows=heldout_rows,
            budget_share=share,
            on_step=advance,
        )
    typer.echo(jsonlib.dumps(asdict(comparison), indent=1) if json else to_markdown(comparison))


app.command("recipes")(bench_recipes.recipes)
app.command("side-by-side")(bench_training_speed.side_by_side)
app.command("targets")(bench_training_speed.targets)
app.command("throughput")(bench_training_speed.throughput)
app.command("overhead")(bench_training_speed.overhead)
