"""Run directories: stages happen once, unfinished runs go on, finished ones do not."""

from __future__ import annotations

import multiprocessing

import pytest

from nested_ray.config.train import TrainConfig
from nested_ray.errors import TrainingError
from nested_ray.train import rundir


@pytest.fixture
def config() -> TrainConfig:
    return TrainConfig.from_values(
        {
            "name": "small",
            "corpus": {"sources": [{"type": "folder", "path": "."}]},
            "levels": [{"name": "syntax", "kind": "syntax", "weight": 1.0}],
        }
    )


@pytest.fixture
def open_run(request):
    """`open_run` whose runs are let go at the end of the test."""

    def opened(*arguments, **options):
        run = rundir.open_run(*arguments, **options)
        request.addfinalizer(run.close)
        return run

    return opened


def test_an_unfinished_run_goes_on_and_a_finished_one_does_not(tmp_path, config, open_run):
    first = open_run(tmp_path, config, solo=False, fresh=False)
    first.close()
    again = open_run(tmp_path, config, solo=False, fresh=False)
    assert (again.run_id, again.resumed) == ("small-1", True)
    assert again.unique_id == first.unique_id
    again.finish(version=1)
    again.close()
    following = open_run(tmp_path, config, solo=False, fresh=False)
    assert (following.run_id, following.resumed) == ("small-2", False)
    assert following.unique_id != first.unique_id


def test_another_config_or_fresh_begins_a_new_run(tmp_path, config, open_run):
    open_run(tmp_path, config, solo=False, fresh=False).close()
    changed = config.model_copy(update={"seed": 7})
    other = open_run(tmp_path, changed, solo=False, fresh=False)
    other.close()
    assert (other.run_id, other.resumed) == ("small-2", False)
    assert open_run(tmp_path, changed, solo=False, fresh=True).run_id == "small-3"


def test_solo_runs_are_numbered_apart(tmp_path, config, open_run):
    open_run(tmp_path, config, solo=False, fresh=False).close()
    assert open_run(tmp_path, config, solo=True, fresh=False).run_id == "small-solo-1"


def test_two_processes_do_not_train_the_same_run(tmp_path, config, open_run):
    run = open_run(tmp_path, config, solo=False, fresh=False)
    with pytest.raises(TrainingError, match="being trained by process"):
        open_run(tmp_path, config, solo=False, fresh=False)
    run.close()
    context = multiprocessing.get_context("spawn")
    process = context.Process(
        target=rundir.open_run, args=(tmp_path, config), kwargs={"solo": False, "fresh": False}
    )
    process.start()
    process.join()
    assert process.exitcode == 0
    assert open_run(tmp_path, config, solo=False, fresh=False).resumed


def test_a_stage_is_made_once_and_never_half(tmp_path, config, open_run):
    run = open_run(tmp_path, config, solo=False, fresh=False)

    def fails(aside):
        (aside / "half").write_text("x")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run.stage("corpus", fails)
    assert not (run.path / "corpus").exists()
    folder = run.stage("corpus", lambda aside: (aside / "whole").write_text("1"))
    assert [path.name for path in folder.iterdir()] == ["whole"]
    run.stage("corpus", lambda aside: pytest.fail("made twice"))
