"""A training that was killed goes on with the same command, and loses nothing."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import TINY, Shell, wait_for

pytestmark = pytest.mark.timeout(900)


def test_a_killed_training_goes_on_where_it_stood(shell: Shell, tmp_path):
    arguments = ("train", TINY, "--set", "name=killed", "--set", "nest=killed")
    with shell.started(*arguments, log=tmp_path / "first.log") as first:
        checkpoints = shell.home / "runs" / "killed-1" / "ray"
        wait_for(
            lambda: list(checkpoints.glob("*/checkpoint_*")) or first.process.poll() is not None,
            lambda: f"no checkpoint:\n{first.printed[-4000:]}",
        )
        first.process.kill()
        first.process.wait()
        shell.wait_until_nothing_runs()
    second = shell.run(*arguments, "--json")
    assert second.returncode == 0, second.stderr[-4000:]
    assert "run killed-1 goes on" in second.stderr
    result = json.loads(second.stdout)
    assert result["version"] == 1
    assert {level["steps"] for level in result["fit"]["levels"].values()} == {60}
