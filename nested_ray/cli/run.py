"""`nested-ray run CONFIG`: train, register, serve and complete, in one command."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from nested_ray.cli.serve import PortOption, check_port, print_urls, wait_for_interrupt
from nested_ray.cli.train import (
    ConfigArgument,
    CorpusOption,
    FreshOption,
    SetOption,
    load_config,
    open_cluster,
)
from nested_ray.config.storage import StorageConfig

if TYPE_CHECKING:
    from nested_ray.config.serve import ServeConfig
    from nested_ray.registry.records import NestVersion


def run(
    config: ConfigArgument = Path("train_configs/quickstart.yaml"),
    corpus: CorpusOption = None,
    overrides: SetOption = None,
    fresh: FreshOption = False,
    once: Annotated[bool, typer.Option(help="End after the completions.")] = False,
    serve_config: Annotated[Path, typer.Option(help="How the nest is served.")] = Path(
        "serve_configs/local.yaml"
    ),
    port: PortOption = 8000,
) -> None:
    """Train three levels, register them, serve them, print three completions and stay up.

    Ctrl-C ends everything that was started. An unfinished training goes on with the same command.
    """
    from nested_ray.cli.progress import ConsoleReporter
    from nested_ray.observability.logs import setup

    setup()
    check_port(port)
    settings = load_config(config, corpus, overrides or [])
    storage = StorageConfig.from_env()
    console = Console(stderr=True)
    reporter = ConsoleReporter(console)
    with ExitStack() as stack:
        session, registry = open_cluster(stack, storage, reporter)
        from nested_ray.cli.showcase import show_completions
        from nested_ray.serve.local import deploy, read_serve_file, shutdown
        from nested_ray.train.run import run as train_nest

        served = read_serve_file(serve_config)
        result = train_nest(settings, registry, home=storage.home, reporter=reporter, fresh=fresh)
        registry.promote(settings.nest, result.version.version, reason="nested-ray run")
        stack.callback(shutdown, whole_serve=session.is_own)
        with reporter.stage(f"serving {result.version.label}") as advance:
            endpoint = deploy(
                only_version(served, result.version),
                port=port,
                report=lambda text: advance(0, None, text),
            )
        show_completions(endpoint, result.heldout_lines, console)
        print_urls(console, endpoint, session)
        if not once:
            console.print("up until Ctrl-C")
            wait_for_interrupt()


def only_version(config: ServeConfig, version: NestVersion) -> ServeConfig:
    """The same service with the nest that was just trained, whatever the file names."""
    routing = config.routing.model_copy(update={"ab_split": ()})
    chosen = {"nest": version.nest, "version": str(version.version), "routing": routing}
    return config.model_copy(update=chosen)
