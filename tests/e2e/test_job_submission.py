"""Training as a submitted job on a running head with token authentication."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from nested_ray.cli.ray_session import free_ports
from tests.e2e.conftest import PATIENCE_S, ROOT, TINY, Shell, wait_for

pytestmark = pytest.mark.timeout(900)

RAY = Path(sys.executable).with_name("ray")


@dataclass
class Head:
    """A Ray head of this test's own."""

    url: str
    shell: Shell

    def is_up(self) -> bool:
        try:
            return (
                httpx.get(f"{self.url}/api/version", headers=self.authorization).status_code == 200
            )
        except httpx.HTTPError:
            return False

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.shell.variables['RAY_AUTH_TOKEN']}"}


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """`ray start --head` on ports and a folder of its own, ended by its own processes' ids."""
    tmp_path = tmp_path_factory.mktemp("head")
    shell = Shell(
        tmp_path / "home",
        {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)},
    )
    gcs, dashboard, client, agent, metrics = free_ports(5)
    with (
        tempfile.TemporaryDirectory(prefix="nr-") as folder,
        (tmp_path / "head.log").open("w") as log,
    ):
        process = subprocess.Popen(
            [
                *(str(RAY), "start", "--head", "--block", "--num-cpus=4"),
                *(f"--port={gcs}", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"),
                *(f"--ray-client-server-port={client}", f"--dashboard-agent-listen-port={agent}"),
                *(f"--metrics-export-port={metrics}", f"--temp-dir={folder}"),
                "--object-store-memory=300000000",
            ],
            env=shell.environment,
            cwd=tmp_path,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        head = Head(f"http://127.0.0.1:{dashboard}", shell)
        try:
            wait_for(head.is_up, lambda: (tmp_path / "head.log").read_text()[-4000:])
            yield head
        finally:
            shell.kill_what_is_left()
            process.wait(timeout=60)


def test_a_submitted_job_learns_a_code_base_in_bsl_and_registers_it(head: Head):
    ended = subprocess.run(
        [
            *(str(RAY), "job", "submit", "--address", head.url, "--working-dir", str(ROOT), "--"),
            *("nested-ray", "train", str(TINY.relative_to(ROOT))),
            *("--corpus", "tests/data/bsl", "--set", "name=job", "--set", "nest=job"),
        ],
        cwd=ROOT,
        env=head.shell.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    assert "registered job@1" in ended.stdout
    assert re.search(r"bsl \d+", ended.stdout)
    shown = json.loads(head.shell.run("registry", "show", "job@champion", "--json").stdout)
    assert shown["version"] == 1
    assert all(level["metrics"]["targets_published"] > 0 for level in shown["levels"])
    assert any(level["metrics"]["targets_used"] > 0 for level in shown["levels"])


def test_nobody_submits_without_the_token(head: Head):
    job = {"entrypoint": "true"}
    assert httpx.post(f"{head.url}/api/jobs/", json=job).status_code == 401
    wrong = {"Authorization": "Bearer " + "0" * 64}
    assert httpx.post(f"{head.url}/api/jobs/", json=job, headers=wrong).status_code == 403
