"""`nested-ray serve`: the champion of a nest behind one endpoint, until Ctrl-C."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from nested_ray.config.storage import StorageConfig
from nested_ray.errors import ConfigError

if TYPE_CHECKING:
    from nested_ray.cli.ray_session import RaySession
    from nested_ray.serve.local import Endpoint

PortOption = Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)]


def serve(
    config: Annotated[
        Path, typer.Argument(help="A Ray Serve config file; its `args` are taken.")
    ] = Path("serve_configs/local.yaml"),
    nest: Annotated[str | None, typer.Option(help="Another nest than the config's.")] = None,
    version: Annotated[str | None, typer.Option(help="An alias or a version number.")] = None,
    port: PortOption = 8000,
) -> None:
    """Serve a registered nest on 127.0.0.1 until Ctrl-C.

    The same application as `serve run CONFIG`, on a Ray of its own with the faster proxy settings.
    """
    from nested_ray.cli.ray_session import ray_session
    from nested_ray.observability.logs import setup
    from nested_ray.registry.status import end_if_unused

    setup()
    check_port(port)
    console = Console(stderr=True)
    storage = StorageConfig.from_env()
    with ExitStack() as stack:
        stack.callback(end_if_unused, storage)
        console.print("… starting Ray")
        session = stack.enter_context(ray_session(storage.home))
        from nested_ray.serve.local import deploy, read_serve_file, shutdown

        chosen = {"nest": nest, "version": version}
        changes = {name: value for name, value in chosen.items() if value is not None}
        settings = read_serve_file(config).model_copy(update=changes)
        stack.callback(shutdown, whole_serve=session.is_own)
        endpoint = deploy(settings, port=port, report=lambda text: console.print(f"… {text}"))
        print_urls(console, endpoint, session)
        wait_for_interrupt()


def check_port(port: int) -> None:
    """Raises ConfigError when something else listens there; asked before the long work, not after it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as exc:
            raise ConfigError(
                f"port {port} on 127.0.0.1 is taken: {exc.strerror}; choose another with --port"
            ) from exc


def print_urls(console: Console, endpoint: Endpoint, session: RaySession) -> None:
    """Where people and programs find what is running."""
    # Without wrapping: an address in two pieces cannot be clicked or copied.
    say = partial(console.print, highlight=False, soft_wrap=True)
    say(f"API            {endpoint.openai_url}")
    say(f"documentation  {endpoint.docs_url}")
    if session.dashboard_url:
        hint = f"  [dim](its token is in {session.token_file})[/]" if session.token_file else ""
        say(f"Ray dashboard  {session.dashboard_url}{hint}")


def wait_for_interrupt() -> None:
    """Until Ctrl-C or SIGTERM; both arrive as KeyboardInterrupt."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        Console(stderr=True).print("stopping")
