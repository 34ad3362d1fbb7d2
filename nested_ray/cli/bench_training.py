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
    from rich.console import Console

    from nested_ray.cli.progress import stage_bars
    from nested_ray.cli.train import load_config
    from nested_ray.corpus.sources import parse_source
    from nested_ray.train.continual_comparison import PairOfCorpora, compare_continual, to_markdown

    settings = load_config(config, None, overrides or [])
    filters = settings.corpus.filters.model_copy(
        update={"include": tuple(include or ()), "exclude": ()}
    )
    new = settings.corpus.model_copy(
        update={"sources": (parse_source(corpus),), "filters": filters}
    )
    torch.set_num_threads(1)
    bars = stage_bars(Console(stderr=True))
    task = bars.add_task("reading the code", total=None)
    with bars, TemporaryDirectory(prefix="nested-ray-") as folder:
        comparison = compare_continual(
            PairOfCorpora.build(settings, new, Path(folder)),
            seeds=range(seeds),
            heldout_rows=heldout_rows,
            budget_share=share,
            on_step=lambda name, done, total: bars.update(
                task, description=name, completed=done, total=total
            ),
        )
    typer.echo(jsonlib.dumps(asdict(comparison), indent=1) if json else to_markdown(comparison))


@app.command("targets")
def targets(
    model: Annotated[
        str | None,
        typer.Option(
            help="Folder, .gguf file or hub id of a pretrained model: also compare gradients, with it "
            "as teacher and itself without some late layers as student."
        ),
    ] = None,
    vocabulary: Annotated[
        list[int] | None,
        typer.Option(
            help="Vocabulary to time; repeat. [default: 4096, 8192, 32768, 49152]",
            show_default=False,
        ),
    ] = None,
    drop_layers: Annotated[
        int, typer.Option(min=1, help="Layers before the last that the student lacks.")
    ] = 1,
    windows: Annotated[int, typer.Option(min=1, help="Windows of 255 tokens to compare on.")] = 12,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Processor time per token of encoding and decoding soft targets, and how right their gradient is."""
    import json as jsonlib
    from dataclasses import asdict

    import torch

    from nested_ray.train.targets_bench import (
        compare_gradients,
        costs_table,
        errors_table,
        measure_cost,
    )

    torch.set_num_threads(1)
    costs = []
    for size in vocabulary or (4096, 8192, 32_768, 49_152):
        typer.echo(f"… vocabulary of {size:,}", err=True)
        costs.append(measure_cost(size))
    errors, positions, kl = [], 0, 0.0
    if model is not None:
        typer.echo(f"… gradients of {model}", err=True)
        errors, positions, kl = compare_gradients(
            model, drop_layers=drop_layers, windows=windows, window_tokens=255
        )
    if json:
        figures = {
            "costs": [asdict(cost) for cost in costs],
            "gradients": {
                "positions": positions,
                "kl": kl,
                "errors": [asdict(error) for error in errors],
            },
        }
        typer.echo(jsonlib.dumps(figures, indent=1))
        return
    typer.echo(costs_table(costs))
    if errors:
        typer.echo(
            f"{positions:,} positions; the student is {kl:.2f} nats away from the teacher.\n"
        )
        typer.echo(errors_table(errors))


RunArgument = Annotated[
    Path,
    typer.Argument(
        help="A finished run, such as .nested-ray/runs/quickstart-1.", exists=True, file_okay=False
    ),
]


@app.command("throughput")
def throughput(
    run_dir: RunArgument,
    level: Annotated[str | None, typer.Option(help="Which one. [default: the first]")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Timed steps per round.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each contender.")] = 5,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """A level alone beside transformers' Trainer and a bare PyTorch loop: same model, rows, optimiser."""
    import json as jsonlib
    from dataclasses import asdict

    import torch
    from rich.console import Console

    from nested_ray.cli.progress import stage_bars
    from nested_ray.models.precision import choose_dtype
    from nested_ray.train.speed_bench import compare_throughput, to_markdown
    from nested_ray.train.together_runs import CPU, Setting, start_decoder

    torch.set_num_threads(1)
    setting = Setting.of_run(run_dir)
    name = level or setting.levels[0]
    if name not in setting.levels:
        raise typer.BadParameter(f"{name} is none of {', '.join(setting.levels)}")
    job = setting.jobs(0)[name]
    width = start_decoder(job).config.hidden_size
    bars = stage_bars(Console(stderr=True))
    task = bars.add_task("", total=None)
    with bars:
        result = compare_throughput(
            job,
            setting.datasets.level(name, "train"),
            choose_dtype(job.level.budget.precision, CPU, width),
            steps=steps,
            rounds=rounds,
            on_round=lambda done, total, contender: bars.update(
                task, description=contender, completed=done, total=total
            ),
        )
    typer.echo(jsonlib.dumps(asdict(result), indent=1) if json else to_markdown(result))


@app.command("overhead")
def overhead(
    run_dir: RunArgument,
    steps: Annotated[int, typer.Option(min=4, help="Per level.")] = 60,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """What the exchange adds to a step: every step with it and without, on the same batch."""
    import json as jsonlib
    from dataclasses import asdict

    import torch
    from rich.console import Console

    from nested_ray.cli.progress import stage_bars
    from nested_ray.models.precision import choose_dtype
    from nested_ray.train.overhead_bench import measure_overhead, to_markdown
    from nested_ray.train.together_runs import CPU, Setting, start_decoder

    torch.set_num_threads(1)
    setting = Setting.of_run(run_dir)
    jobs = list(setting.jobs(0).values())
    bars = stage_bars(Console(stderr=True))
    task = bars.add_task("steps with and without exchange", total=None)
    with bars:
        result = measure_overhead(
            jobs,
            {name: setting.datasets.level(name, "train") for name in setting.levels},
            {
                job.level.name: choose_dtype(
                    job.level.budget.precision, CPU, start_decoder(job).config.hidden_size
                )
                for job in jobs
            },
            steps=steps,
            on_step=lambda done, total: bars.update(task, completed=done, total=total),
        )
    if json:
        typer.echo(jsonlib.dumps([asdict(level) for level in result], indent=1))
    else:
        typer.echo(to_markdown(result))
