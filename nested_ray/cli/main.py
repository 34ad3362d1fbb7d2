"""The `nested-ray` command: one module per verb, heavy packages imported inside the verbs."""

from __future__ import annotations

import signal
import sys
from typing import Any

import typer
from rich.console import Console

from nested_ray import __version__
from nested_ray.cli import (
    architecture,
    bench,
    corpus,
    index,
    parse,
    registry,
    review,
    run,
    serve,
    storage,
    train,
    validate,
)
from nested_ray.errors import ConfigError, NestedRayError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train a nest of three code models on your own code and serve them as one endpoint.",
    epilog="Start with: nested-ray run train_configs/quickstart.yaml",
)
app.command("run")(run.run)
app.command("train")(train.train)
app.command("serve")(serve.serve)
app.command("review")(review.review)
app.command("architecture")(architecture.architecture)
app.command("index")(index.index)
app.command("parse")(parse.parse)
app.command("validate")(validate.validate)
app.add_typer(bench.app, name="bench", help="The measurements behind benchmarks/.")
app.add_typer(corpus.app, name="corpus", help="What of a code base can be learned from.")
app.add_typer(registry.app, name="registry", help="Nest versions, aliases, files.")
app.add_typer(storage.app, name="storage", help="Embedded Postgres, Redis and S3.")


@app.command("version")
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run a verb; errors become one sentence on stderr and an exit code (2 config, 1 other, 130 Ctrl-C)."""
    signal.signal(signal.SIGTERM, interrupt)
    try:
        app()
    except ConfigError as exc:
        fail(str(exc), 2)
    except NestedRayError as exc:
        fail(str(exc), 1)


def interrupt(_signum: int, _frame: Any) -> None:
    """`kill` cleans up as Ctrl-C does."""
    raise KeyboardInterrupt


def fail(message: str, code: int) -> None:
    """Say it once, on stderr, and end."""
    console = Console(stderr=True, soft_wrap=True)
    console.print("[red]error:[/] ", end="")
    console.print(message, highlight=False, markup=False)
    sys.exit(code)
