"""Run directories: stages happen once, unfinished runs go on, finished ones do not."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

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
    assert other.note == (
        "small-1 is unfinished and has other settings (seed): "
        "a new run begins; with its own settings that one goes on"
    )
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


def with_settings(config, changes):
    values = config.model_dump(mode="json")
    for dotted, value in changes.items():
        *parents, last = dotted.split(".")
        node = values
        for part in parents:
            node = node[int(part) if part.isdigit() else part]
        node[last] = value
    return TrainConfig.from_values(values)


@pytest.mark.parametrize(
    ("changes", "goes_on"),
    [
        ({"max_failures": 9}, True),
        ({"evaluation.max_lines": 5}, True),
        ({"levels.0.budget.max_steps": 900, "levels.0.budget.num_workers": 2}, True),
        ({"levels.0.budget.use_gpu": True, "levels.0.budget.checkpoint_every_steps": 7}, True),
        ({"levels.0.budget.micro_batch_size": 3}, False),
        ({"levels.0.lr.peak": 0.5}, False),
        ({"windows.window_tokens": 64}, False),
        ({"nest": "other"}, False),
    ],
)
def test_only_settings_that_change_what_was_learned_begin_a_new_run(
    tmp_path, config, open_run, changes, goes_on
):
    open_run(tmp_path, config, solo=False, fresh=False).close()
    run = open_run(tmp_path, with_settings(config, changes), solo=False, fresh=False)
    assert run.resumed == goes_on
    assert all(key in run.note for key in changes)


def test_what_depends_on_changed_settings_is_made_again(tmp_path, config, open_run):
    first = open_run(tmp_path, config, solo=False, fresh=False)
    first.stage("corpus", lambda aside: (aside / "a").write_text("1"))
    first.stage("nest", lambda aside: (aside / "a").write_text("1"))
    (first.path / "fit.json").write_text("{}")
    first.close()

    same = open_run(tmp_path, config, solo=False, fresh=False)
    same.close()
    assert (same.note, same.unique_id) == ("", first.unique_id)
    assert (same.path / "fit.json").exists()

    longer = with_settings(config, {"levels.0.budget.max_steps": 900})
    run = open_run(tmp_path, longer, solo=False, fresh=False)
    run.close()
    assert run.note == "changed since small-1 was last started: levels.0.budget.max_steps"
    assert run.unique_id != first.unique_id
    kept = {path.name for path in run.path.iterdir()}
    assert "corpus" in kept and not kept & {"fit.json", "nest", ".nest.unfinished"}
    config_file = json.loads((run.path / "config.json").read_text())
    assert config_file["levels"][0]["budget"]["max_steps"] == 900
    again = open_run(tmp_path, longer, solo=False, fresh=False)
    assert (again.note, again.unique_id) == ("", run.unique_id)


def test_runs_that_start_at_once_have_numbers_of_their_own(tmp_path, config, open_run):
    at_once = Barrier(8)

    def start(_):
        at_once.wait()
        return open_run(tmp_path, config, solo=False, fresh=True).run_id

    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(start, range(8)))
    assert sorted(names) == [f"small-{number}" for number in range(1, 9)]


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path, config, open_run):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(
        TrainingError, match=r"cannot write a run below .*Not a directory.*NESTED_RAY"
    ):
        open_run(tmp_path / "file", config, solo=False, fresh=False)
