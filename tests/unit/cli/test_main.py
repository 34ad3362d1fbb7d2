"""The command line before any heavy package is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("nested-ray")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "120", "TERM": "dumb"}
    return subprocess.run(
        [str(COMMAND), *arguments], capture_output=True, text=True, env=environment, timeout=120
    )


@pytest.mark.parametrize("verb", ["run", "train", "serve", "corpus", "registry", "storage"])
def test_every_verb_explains_itself(verb):
    ended = run(verb, "--help")
    assert ended.returncode == 0
    assert "Usage: nested-ray" in ended.stdout
    assert verb in run("--help").stdout


def test_help_loads_neither_torch_nor_ray():
    code = "import sys, nested_ray.cli.main; print([m for m in ('torch', 'ray', 'transformers') if m in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert ended.stdout.strip() == "[]"


def test_a_wrong_config_ends_with_2_and_one_sentence(tmp_path):
    ended = run("train", str(tmp_path / "nowhere.yaml"))
    assert ended.returncode == 2
    assert "cannot read config" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unknown_verb_ends_with_2():
    assert run("fly").returncode == 2
