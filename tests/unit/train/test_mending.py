"""What an earlier attempt left behind, and Ray Train's own check of it."""

import json

import pytest
import ray

from nested_ray.train.mending import SNAPSHOT, known_names, latest_name, mend


def result(name):
    return {"version": 0, "checkpoint_dir_name": name, "metrics": {"step": 1}}


def write_snapshot(storage, *names, **changes):
    values = {
        "ray_version": ray.__version__,
        "checkpoint_results": [result(name) for name in names],
        "latest_checkpoint_result": result(names[-1]),
        "pending_training_results": [],
    }
    (storage / SNAPSHOT).write_text(json.dumps(values | changes))


def make(storage, *steps):
    for step in steps:
        folder = storage / f"checkpoint_{step}"
        folder.mkdir()
        (folder / "cursor-0.json").write_text(json.dumps({"step": step}))


def names(storage):
    return sorted(path.name for path in storage.iterdir())


def test_a_folder_in_order_is_left_as_it_is(tmp_path):
    make(tmp_path, 1, 2)
    write_snapshot(tmp_path, "checkpoint_1", "checkpoint_2")
    assert mend(tmp_path) == []
    assert known_names(tmp_path) == {"checkpoint_1", "checkpoint_2"}
    assert latest_name(tmp_path) == "checkpoint_2"
    assert mend(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda s: (s / SNAPSHOT).write_text('{"ray_ver'), "cannot be read"),
        (lambda s: (s / SNAPSHOT).write_bytes(b""), "cannot be read"),
        (lambda s: (s / "checkpoint_1" / "cursor-0.json").rename(s / "x"), None),
        (
            lambda s: write_snapshot(s, "checkpoint_1", "checkpoint_2", ray_version="1.0"),
            "by Ray 1.0",
        ),
        (lambda s: write_snapshot(s, "checkpoint_1", "checkpoint_9"), "checkpoint_9 is gone"),
    ],
)
def test_a_snapshot_that_ray_train_would_refuse_is_put_away(tmp_path, damage, problem):
    make(tmp_path, 1, 2)
    write_snapshot(tmp_path, "checkpoint_1", "checkpoint_2")
    damage(tmp_path)
    found = mend(tmp_path)
    assert (tmp_path / SNAPSHOT).exists() == (problem is None)
    assert [problem in sentence for sentence in found] == ([] if problem is None else [True])
    assert {"checkpoint_1", "checkpoint_2"} <= set(names(tmp_path))


def test_of_checkpoints_that_ray_train_lost_sight_of_the_newest_two_stay(tmp_path):
    make(tmp_path, 1, 2, 3, 4, 5)
    write_snapshot(tmp_path, "checkpoint_1")
    mend(tmp_path)
    assert names(tmp_path) == ["checkpoint_1", "checkpoint_4", "checkpoint_5", SNAPSHOT]
    (tmp_path / SNAPSHOT).write_text("{")
    make(tmp_path, 6, 7)
    mend(tmp_path)
    assert len(list(tmp_path.glob("checkpoint_*/"))) == 5
