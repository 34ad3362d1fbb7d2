"""A training whose driver was killed goes on with the same command, and loses nothing."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from nested_ray.checkpoints import step_of
from nested_ray.config.storage import StorageConfig
from nested_ray.train.mending import latest_name
from tests.bench.kill_report import read_lives
from tests.e2e.conftest import TINY, Shell, wait_for

pytestmark = pytest.mark.timeout(900)

LEVELS = ("syntax", "semantics", "architecture")

Steps = dict[str, int]
"""By level."""


def settings(steps: int, *more: str) -> tuple[str, ...]:
    """`--set` for each; every level gets so many steps."""
    budgets = (f"levels.{name}.budget.max_steps={steps}" for name in LEVELS)
    return tuple(part for each in (*budgets, *more) for part in ("--set", each))


def kill_driver_at(look: Callable[[], Steps], shell: Shell, *arguments: str | Path) -> Steps:
    """SIGKILL to the command itself once `look` has found something, which is returned.

    What the command had started has to end without it.
    """
    with shell.started(*arguments, log=shell.home.parent / "killed.log") as command:
        found: Steps = {}

        def has_come_so_far() -> bool:
            found.update(look())
            return bool(found) or command.process.poll() is not None

        wait_for(has_come_so_far, lambda: f"never came so far:\n{command.printed[-4000:]}")
        assert command.process.poll() is None, f"ended by itself:\n{command.printed[-4000:]}"
        command.process.kill()
        command.process.wait()
        shell.wait_until_nothing_runs()
    return found


def local_steps(run: Path) -> Steps:
    """The newest checkpoints that Ray Train has finished writing; nothing until every level has one."""
    storages = [run / "ray" / name for name in LEVELS]
    names = [latest_name(storage) for storage in storages]
    steps = {s.name: step_of(s / name) for s, name in zip(storages, names, strict=True) if name}
    return steps if len(steps) == len(LEVELS) and min(steps.values()) > 0 else {}


def uploaded_steps(shell: Shell, run: Path) -> Steps:
    """The newest checkpoints in the embedded S3, as any client sees them; nothing until every level has one."""
    if not local_steps(run):
        return {}
    servers = json.loads((shell.home / "storage.json").read_text())["servers"]
    address, bucket = servers["s3"]["addresses"], StorageConfig(home=shell.home).s3_bucket
    s3 = boto3.client(
        "s3",
        endpoint_url=address["s3_endpoint_url"],
        aws_access_key_id=address["s3_access_key"],
        aws_secret_access_key=address["s3_secret_key"],
        region_name="us-east-1",
    )
    steps: Steps = {}
    with contextlib.closing(s3):
        listed = s3.list_objects_v2(Bucket=bucket, Prefix="checkpoints/killed/")
        for key in (each["Key"] for each in listed.get("Contents", [])):
            # One that newer ones have pushed out since it was listed counts no more.
            with contextlib.suppress(s3.exceptions.NoSuchKey):
                if "/manifests/" in key:
                    stored = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
                    level, step = stored["level"], stored["step"]
                    steps[level] = max(step, steps.get(level, 0))
    return steps if len(steps) == len(LEVELS) else {}


def steps_gone_on_from(run: Path) -> Steps:
    """Where the last process of each level began."""
    lives = read_lives(run / "metrics.jsonl")
    return {level: of_level[-1][0]["first_step"] for level, of_level in lives.items()}


def test_a_killed_training_that_lost_its_checkpoints_goes_on_from_those_in_s3(shell: Shell):
    more = ("name=killed", "nest=killed", "review.enabled=false", "checkpoints.upload=true")
    arguments = ("train", TINY, *settings(400, *more))
    run = shell.home / "runs" / "killed-1"
    uploaded = kill_driver_at(lambda: uploaded_steps(shell, run), shell, *arguments)
    assert not (run / "fit.json").exists()
    shutil.rmtree(run / "ray")

    second = shell.run(*arguments, "--json")
    assert second.returncode == 0, second.stderr[-4000:]
    assert "run killed-1 goes on" in second.stderr
    gone_on_from = steps_gone_on_from(run)
    for level, step in uploaded.items():
        assert gone_on_from[level] >= step > 0
        note = f"{level} has its checkpoint of step {gone_on_from[level]} from S3"
        assert note in second.stderr
    result = json.loads(second.stdout)
    assert result["version"] == 1
    steps = {name: level["steps"] for name, level in result["fit"]["levels"].items()}
    assert steps == dict.fromkeys(LEVELS, 400)


def test_a_registered_nest_learns_new_code_through_a_kill_and_says_what_it_forgot(shell: Shell):
    """Its parent is the nest above, or the same training not killed."""
    if shell.run("registry", "show", "killed").returncode:
        done = shell.run(
            "train", TINY, *settings(60, "name=killed", "nest=killed", "review.enabled=false")
        )
        assert done.returncode == 0, done.stderr[-4000:]
    more = ("name=more", "nest=killed", "windows.max_windows=400", "review.enabled=false")
    arguments = ("train", TINY, *settings(120, *more))
    arguments += ("--from", "champion", "--corpus", "tests/unit/corpus")
    run = shell.home / "runs" / "more-1"
    local = kill_driver_at(lambda: local_steps(run), shell, *arguments)

    done = shell.run(*arguments, "--json")
    assert done.returncode == 0, done.stderr[-4000:]
    assert "run more-1 goes on" in done.stderr
    gone_on_from = steps_gone_on_from(run)
    assert all(gone_on_from[level] >= step for level, step in local.items())
    result = json.loads(done.stdout)
    steps = {name: level["steps"] for name, level in result["fit"]["levels"].items()}
    assert steps == {"syntax": 120, "semantics": 60, "architecture": 30}
    continual = result["report"]["continual"]
    assert continual["parent"] == "killed@1"
    assert continual["replay"]["share"] == 0.25
    assert continual["replay"]["origin"] == "the corpus of run killed-1"
    assert set(continual["forgetting"]["num_bytes"]) == {"old", "new"}
    kept = json.loads(shell.run("registry", "show", "killed@2", "--json").stdout)
    assert kept["parent"] == "killed@1"
    assert kept["metrics"]["continual"] == continual
