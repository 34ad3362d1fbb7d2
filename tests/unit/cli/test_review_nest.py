"""What a nest directory adds to a review, with a nest of random weights that learned nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nested_ray.cli import review_nest
from nested_ray.cli.main import app
from tests.integration.tiny_nest import write_tiny_nest


@pytest.fixture(scope="module")
def nest_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nest") / "tiny"
    write_tiny_nest(folder, seed=0)
    return folder


def test_a_nest_that_learned_no_detectors_ranks_repairs_and_says_what_it_lacks(nest_dir):
    parts = review_nest.load_parts(nest_dir, ("syntax", "semantics", "architecture"))
    assert parts.detectors == () and parts.placement is None
    assert len(parts.missing) == 2
    assert parts.scorer is not None
    scores = parts.scorer(["def f(a):\n    return a\n", "def f(a:\n    return a\n"])
    assert len(scores) == 2 and all(score < 0 for score in scores)


def test_levels_that_are_not_asked_are_not_loaded(nest_dir):
    parts = review_nest.load_parts(nest_dir, ("architecture",))
    assert parts.scorer is None
    assert len(parts.missing) == 1


def test_the_command_takes_a_nest(nest_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked: list[tuple[str, str]] = []

    def fetch(nest: str, ref: str) -> Path:
        asked.append((nest, ref))
        return nest_dir

    monkeypatch.setattr(review_nest, "_fetch", fetch)
    (tmp_path / "a.py").write_text("def f(a:\n    return a\n")
    arguments = ["review", "--nest", "tiny@3", "--levels", "syntax", "--json", "a.py"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1, result.output
    assert asked == [("tiny", "3")]
    assert '"fix": {' in result.stdout
