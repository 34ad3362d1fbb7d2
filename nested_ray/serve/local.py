"""Start the application on a Ray that is already there, and say when it answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import ray
import yaml
from ray import serve
from ray.serve.config import HTTPOptions, ProxyLocation
from ray.serve.schema import ApplicationStatus, ApplicationStatusOverview

from nested_ray.api.native import BASE_PATH
from nested_ray.config.serve import ServeConfig
from nested_ray.errors import ConfigError, LevelUnavailable
from nested_ray.serve.app import build_app

Report = Callable[[str], None]
APPLICATION = "nested-ray"
POLL_S = 0.3
FAILED = {ApplicationStatus.DEPLOY_FAILED, ApplicationStatus.UNHEALTHY}


@dataclass(frozen=True)
class Endpoint:
    """Where the application answers."""

    base_url: str

    @property
    def docs_url(self) -> str:
        return f"{self.base_url}/docs"

    @property
    def openai_url(self) -> str:
        """The `base_url` of an OpenAI client."""
        return f"{self.base_url}/v1"

    @property
    def health_url(self) -> str:
        return f"{self.base_url}{BASE_PATH}/health"


def deploy(
    config: ServeConfig | Path | str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    timeout_s: float = 180.0,
    report: Report = lambda message: None,
) -> Endpoint:
    """Serve the application and return once every level answers over HTTP.

    `config` is a ServeConfig or a file of serve_configs/, whose `args` are taken. Ray must be
    initialised, with `serve_environment()` in place before it started. `report` is called with what
    is being waited for, whenever that changes. Raises what `build_app` raises, and LevelUnavailable
    when the application fails or does not answer in time.
    """
    if not ray.is_initialized():
        raise RuntimeError("deploy() needs an initialised Ray; call ray.init() first")
    settings = config if isinstance(config, ServeConfig) else read_serve_file(config)
    report("looking up the nest")
    application = build_app(settings)
    report("starting Ray Serve")
    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # `report` says what happens
    # The router keeps its own deadline; this one is for what it cannot see.
    timeout = settings.routing.request_timeout_s + 30
    options = HTTPOptions(host=host, port=port, request_timeout_s=timeout)
    serve.start(proxy_location=ProxyLocation.HeadOnly, http_options=options)
    target = serve.RunTarget(target=application, name=APPLICATION, route_prefix="/")
    serve.run_many([target], wait_for_applications_running=False)
    endpoint = Endpoint(f"http://{host}:{port}")
    wait_until_answering(endpoint, timeout_s=timeout_s, report=report)
    return endpoint


def shutdown(*, whole_serve: bool) -> None:
    """Stop the application; with `whole_serve` also Serve itself, which a shared cluster must keep."""
    if whole_serve:
        serve.shutdown()
    else:
        serve.delete(APPLICATION)


def read_serve_file(path: Path | str) -> ServeConfig:
    """The `args` of the first application in a Ray Serve config file; raises ConfigError."""
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read {path}: {exc}; it must be UTF-8 text") from exc
    except (yaml.YAMLError, ValueError) as exc:
        raise ConfigError(f"{path} is not valid YAML: {exc}") from exc
    try:
        arguments = values["applications"][0].get("args") or {}
    except (TypeError, KeyError, IndexError, AttributeError) as exc:
        raise ConfigError(
            f"{path} is not a Ray Serve config: it needs `applications:` with one entry; "
            "serve_configs/local.yaml is an example"
        ) from exc
    return ServeConfig.from_values(arguments, source=f"{path}, args")


def wait_until_answering(endpoint: Endpoint, *, timeout_s: float, report: Report) -> None:
    """Poll until the health route says that every level answers.

    A started proxy answers 404 until it knows the application's routes, so only this route counts.
    """
    deadline = time.monotonic() + timeout_s
    said = ""
    with httpx.Client(timeout=10.0, trust_env=False) as client:
        while True:
            waiting_for = what_is_missing(endpoint, client)
            if waiting_for is None:
                return
            if waiting_for != said:
                report(waiting_for)
                said = waiting_for
            if time.monotonic() > deadline:
                raise LevelUnavailable(
                    f"the application did not answer within {timeout_s:.0f} s; last seen: {said}"
                )
            time.sleep(POLL_S)


def what_is_missing(endpoint: Endpoint, client: httpx.Client) -> str | None:
    """What has to happen before the application answers; None when it does."""
    status = serve.status().applications.get(APPLICATION)
    if status is None:
        return "waiting for Ray Serve to take the application"
    if status.status in FAILED:
        raise LevelUnavailable(f"the application did not start: {why_it_failed(status)}")
    if status.status is not ApplicationStatus.RUNNING:
        return f"waiting for {', '.join(starting(status)) or 'the application'} to start"
    try:
        health: Any = client.get(endpoint.health_url)
        if health.status_code == 200 and health.json()["status"] == "ok":
            return None
    except (httpx.HTTPError, ValueError, KeyError):
        pass
    return f"waiting for {endpoint.health_url} to answer"


def starting(status: ApplicationStatusOverview) -> list[str]:
    """Deployments that are not running yet."""
    return [
        name
        for name, deployment in status.deployments.items()
        if deployment.status.value not in ("HEALTHY", "RUNNING")
    ]


def why_it_failed(status: ApplicationStatusOverview) -> str:
    """The first deployment's message that says something, else the application's."""
    messages = [each.message for each in status.deployments.values() if each.message]
    return (messages or [status.message])[0]
