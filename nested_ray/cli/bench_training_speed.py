"""`nested-ray bench training`: what a step, a start and the exchange cost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nested_ray.distill.exchange import Exchange, ExchangeReport

RunArgument = Annotated[
    Path,
    typer.Argument(
        help="A finished run, such as .nested-ray/runs/quickstart-1.", exists=True, file_okay=False
    ),
]


OverridesOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one setting of the config (repeatable)."),
]


def side_by_side(
    config: Annotated[Path, typer.Argument(help="A training config, such as quickstart's.")],
    overrides: OverridesOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Wall clock, start-up and memory of the levels trained at once, beside each of them alone."""
    import json as jsonlib
    import shutil
    from contextlib import closing
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
        from nested_ray.benchmarks.side_by_side import compare_walls, to_markdown
        from nested_ray.train.prepare import prepare
        from nested_ray.train.rundir import open_run

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

    from nested_ray.benchmarks.targets import (
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


def throughput(
    run_dir: RunArgument,
    level: Annotated[str | None, typer.Option(help="Which one. [default: the first]")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Timed steps per round.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each contender.")] = 5,
    overrides: OverridesOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """A level alone beside transformers' Trainer and a bare PyTorch loop: same model, rows, optimiser."""
    import json as jsonlib
    from dataclasses import asdict

    import torch

    from nested_ray.benchmarks.setting import CPU, Setting, start_decoder
    from nested_ray.benchmarks.throughput import compare_throughput, to_markdown
    from nested_ray.cli.progress import one_bar
    from nested_ray.models.precision import choose_dtype

    torch.set_num_threads(1)
    setting = Setting.of_run(run_dir, overrides or [])
    name = level or setting.levels[0]
    if name not in setting.levels:
        raise typer.BadParameter(f"{name} is none of {', '.join(setting.levels)}")
    job = setting.jobs(0)[name]
    width = start_decoder(job).config.hidden_size
    with one_bar() as advance:
        result = compare_throughput(
            job,
            setting.datasets.level(name, "train"),
            choose_dtype(job.level.budget.precision, CPU, width),
            steps=steps,
            rounds=rounds,
            on_round=lambda done, total, contender: advance(contender, done, total),
        )
    typer.echo(jsonlib.dumps(asdict(result), indent=1) if json else to_markdown(result))


def overhead(
    run_dir: RunArgument,
    steps: Annotated[int, typer.Option(min=4, help="Per level.")] = 60,
    overrides: OverridesOption = None,
    through_ray: Annotated[
        bool,
        typer.Option("--ray", help="Exchange through Ray's object store, not inside this process."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """What the exchange adds to a step: every step with it and without, on the same batch."""
    import json as jsonlib
    from dataclasses import asdict

    import torch

    from nested_ray.benchmarks.overhead import measure_overhead, to_markdown
    from nested_ray.benchmarks.setting import CPU, Setting, start_decoder
    from nested_ray.cli.progress import one_bar
    from nested_ray.models.precision import choose_dtype

    torch.set_num_threads(1)
    setting = Setting.of_run(run_dir, overrides or [])
    jobs = list(setting.jobs(0).values())
    with ExitStack() as stack:
        keep = setting.config.distill.keep_records
        exchange_of, read = open_exchange(stack, keep, through_ray=through_ray)
        advance = stack.enter_context(one_bar())
        levels = measure_overhead(
            jobs,
            {name: setting.datasets.level(name, "train") for name in setting.levels},
            {
                job.level.name: choose_dtype(
                    job.level.budget.precision, CPU, start_decoder(job).config.hidden_size
                )
                for job in jobs
            },
            exchange_of,
            steps=steps,
            on_step=lambda done, total: advance("steps with and without exchange", done, total),
        )
        bytes_per_token = read().bytes_per_token
    if json:
        figures = {
            "levels": [asdict(level) for level in levels],
            "bytes_per_token": bytes_per_token,
        }
        typer.echo(jsonlib.dumps(figures, indent=1))
    else:
        typer.echo(to_markdown(levels, bytes_per_token))


def open_exchange(
    stack: ExitStack, keep: int, *, through_ray: bool
) -> tuple[Callable[[str], Exchange], Callable[[], ExchangeReport]]:
    """A level's end of one exchange by its name, and what went through it; closed with the stack."""
    if not through_ray:
        from nested_ray.distill.mailbox import InMemoryExchange

        exchange = InMemoryExchange(keep)
        return lambda level: exchange, exchange.report

    from nested_ray.cli.ray_session import NAMESPACE, ray_session
    from nested_ray.config.storage import StorageConfig

    stack.enter_context(ray_session(StorageConfig.from_env().home))
    from nested_ray.distill.ray_exchange import RayExchange, read_report, start_exchange

    name = "exchange-overhead"
    actor = start_exchange(name, NAMESPACE, keep)

    def end_of(level: str) -> Exchange:
        client = RayExchange(name, NAMESPACE, level, keep=keep)
        stack.callback(client.close)
        return client

    return end_of, lambda: read_report(actor)
