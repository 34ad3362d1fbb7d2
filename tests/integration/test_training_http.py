"""Training asked for over HTTP: a served application, Ray's job API, a real run, the registry."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from ray._private.ray_constants import DEFAULT_DASHBOARD_AGENT_LISTEN_PORT

from nested_ray.config.storage import StorageConfig
from nested_ray.registry.connection import connect

from .test_serve import PATIENCE_S, free_port, start, stop, wait_until_up
from .tiny_nest import publish_tiny_nest

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[2]
TRAIN = "/api/v1/nested-learning/train"
SHORT = {"max_steps": 30, "batch_size": 2}


@pytest.fixture(scope="module")
def another_ray() -> Iterator[None]:
    """The port is taken that `ray.init` gives to the agent of every cluster, as by any other Ray of the machine."""
    with socket.socket() as taken:
        with suppress(OSError):  # a real one has it
            taken.bind(("", DEFAULT_DASHBOARD_AGENT_LISTEN_PORT))
            taken.listen()
        yield


@pytest.fixture(scope="module")
def http(
    storage: StorageConfig, another_ray: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A served nest whose operator allows tests/data/train."""
    folder = tmp_path_factory.mktemp("training")
    with connect(storage, use_actor=False) as registry:
        publish_tiny_nest(registry, folder / "nest", run_id="training-http/1", seed=3)
    config, log, port = folder / "serve.yaml", folder / "out.log", free_port()
    configs = str(ROOT / "tests" / "data" / "train")
    arguments = {"analysis": {"replicas": 0}, "training": {"enabled": True, "configs_dir": configs}}
    application = {"name": "nested-ray", "route_prefix": "/", "args": arguments}
    config.write_text(yaml.safe_dump({"applications": [application]}))
    process = start(config, port, storage.home, log)
    try:
        wait_until_up(process, log)
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            yield client
    finally:
        stop(process)


def session_of(response: httpx.Response) -> dict[str, Any]:
    assert response.is_success, response.text
    return response.json()


def wait_for(
    http: httpx.Client, session: str, holds: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Poll until it holds; a session that has failed meanwhile is a failure."""
    deadline = time.monotonic() + 2 * PATIENCE_S
    while True:
        found = session_of(http.get(f"{TRAIN}/{session}"))
        if holds(found):
            return found
        assert found["status"] != "failed", found
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def test_code_that_is_sent_becomes_a_version_though_the_session_was_cancelled_once(http, storage):
    sources = sorted((ROOT / "nested_ray" / "config").glob("*.py"))
    dataset = [{"path": f"config/{path.name}", "text": path.read_text()} for path in sources]
    asked = {"levels": ["syntax", "semantics"], "config": {"syntax": SHORT, "semantics": SHORT}}
    body = {"train_config": "tiny", "dataset": dataset, **asked}
    session = session_of(http.post(TRAIN, json=body))["id"]

    started = wait_for(http, session, lambda found: found["progress"] > 0)
    assert started["current_level"] in ("syntax", "semantics")
    http.post(f"{TRAIN}/{session}/cancel")
    wait_for(http, session, lambda found: found["status"] in ("cancelled", "finished"))
    assert session_of(http.post(f"{TRAIN}/{session}/resume"))["attempts"] == 2

    ended = wait_for(http, session, lambda found: found["status"] == "finished")
    assert (ended["version"], ended["progress"], ended["error"]) == ("tiny@1", 1, None)
    assert [level["step"] for level in ended["levels"]] == [30, 30]
    assert all(level["loss"] > 0 and level["accuracy"] is not None for level in ended["levels"])
    assert any("tiny@1" in line for line in ended["log"])
    with connect(storage, use_actor=False) as registry:
        version = registry.resolve("tiny", "champion")
    assert version.version == 1
    assert version.run_id.startswith(session)
    assert [level.name for level in version.levels] == ["syntax", "semantics"]
    [listed] = session_of(http.get(TRAIN))["sessions"]
    assert (listed["id"], listed["status"]) == (session, "finished")
