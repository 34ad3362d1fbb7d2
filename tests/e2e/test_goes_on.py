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


def test_a_registered_nest_learns_new_code_and_says_what_it_forgot(shell: Shell):
    """Its parent is the nest above, or the same training not killed."""
    settings = ("--set", "nest=killed")
    if shell.run("registry", "show", "killed").returncode:
        done = shell.run("train", TINY, "--set", "name=killed", *settings)
        assert done.returncode == 0, done.stderr[-4000:]
    changes = ("name=more", "windows.max_windows=400", "review.enabled=false", "levels.syntax.budget.max_steps=20",
               "levels.semantics.budget.max_steps=20", "levels.architecture.budget.max_steps=20")  # fmt: skip
    done = shell.run(
        *("train", TINY, *settings, "--from", "champion", "--corpus", "tests/unit/corpus"),
        *(part for change in changes for part in ("--set", change)),
        "--json",
    )
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads(done.stdout)
    steps = {name: level["steps"] for name, level in result["fit"]["levels"].items()}
    assert steps == {"syntax": 20, "semantics": 10, "architecture": 5}
    continual = result["report"]["continual"]
    assert continual["parent"] == "killed@1"
    assert continual["replay"]["share"] == 0.25
    assert continual["replay"]["origin"] == "the corpus of run killed-1"
    assert set(continual["forgetting"]["num_bytes"]) == {"old", "new"}
    kept = json.loads(shell.run("registry", "show", "killed@2", "--json").stdout)
    assert kept["parent"] == "killed@1"
    assert kept["metrics"]["continual"] == continual
