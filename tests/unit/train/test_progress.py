"""The progress board: arrival, totals over workers, and cancelling."""

import dataclasses

import pytest

from nested_ray.observability import metrics
from nested_ray.train.board import shown_values
from nested_ray.train.progress import LevelPlan, ProgressBoard, WorkerProgress

SPOKEN = WorkerProgress(
    step=10,
    tokens_per_second=100.0,
    seconds_per_step=0.5,
    ce=4.0,
    kd=None,
    accuracy=0.25,
    lr=0.004,
    tokens_seen=1000,
    targets_published=3,
    targets_used=2,
    targets_stale=1,
    targets_lost=0,
    targets_dropped=0,
    pid=77,
)


def board():
    return ProgressBoard([LevelPlan("syntax", 2, 40), LevelPlan("semantics", 1, 30)])


def test_levels_start_when_every_worker_has_arrived():
    b = board()
    b.arrive("syntax", 0)
    b.arrive("semantics", 0)
    assert (b.started, b.missing()) == (False, ["syntax"])
    b.arrive("syntax", 1)
    assert (b.started, b.missing()) == (True, [])


def test_a_worker_that_comes_back_does_not_wait_again():
    b = board()
    b.update("semantics", 0, SPOKEN)
    b.arrive("syntax", 0)
    assert b.started


def test_a_level_is_the_sum_of_its_workers():
    b = board()
    b.update("syntax", 0, SPOKEN)
    b.update("syntax", 1, dataclasses.replace(SPOKEN, ce=5.0, kd=1.0))
    level = b.snapshot()["syntax"]
    assert (level.state, level.step, level.max_steps) == ("training", 10, 40)
    assert (level.tokens_per_second, level.tokens_seen) == (200.0, 2000)
    assert (level.targets_used, level.targets_stale) == (4, 2)
    assert (level.loss, level.kd) == (4.5, 1.0)
    assert level.eta_s == pytest.approx(30 * 0.5)
    assert level.pids == (77, 77)


def test_a_worker_that_arrives_again_is_a_restart():
    b = board()
    b.arrive("semantics", 0)
    b.update("semantics", 0, SPOKEN)
    assert b.snapshot()["semantics"].num_restarts == 0
    b.arrive("semantics", 0)
    assert b.snapshot()["semantics"].num_restarts == 1


def test_levels_keep_the_order_of_the_plan_and_wait_until_they_arrive():
    snapshot = board().snapshot()
    assert list(snapshot) == ["syntax", "semantics"]
    assert snapshot["syntax"].state == "waiting"
    assert snapshot["syntax"].eta_s is None and snapshot["syntax"].loss is None


def test_a_level_at_its_last_step_is_done():
    b = board()
    b.update("semantics", 0, dataclasses.replace(SPOKEN, step=30))
    assert b.snapshot()["semantics"].state == "done"
    assert b.snapshot()["semantics"].eta_s == 0


def test_workers_learn_that_they_should_stop():
    b = board()
    assert b.update("syntax", 0, SPOKEN) is False
    b.cancelled = True
    assert b.update("syntax", 0, SPOKEN) is True


def test_every_gauge_that_is_defined_is_shown():
    b = board()
    b.update("semantics", 0, SPOKEN)
    shown = shown_values(b.snapshot()["semantics"])
    assert set(shown) == {metric for metric in metrics.ALL if metric.kind == "gauge"}
    assert shown[metrics.TRAINING_PROGRESS] == 10 / 30
    assert shown[metrics.ACCURACY] == 0.25
    assert shown[metrics.LOSS] == 4.0


def test_what_was_mended_is_told_once():
    b = board()
    for text in ("a checkpoint is damaged", "a checkpoint is damaged", "another one"):
        b.note("syntax", text)
    assert b.snapshot()["syntax"].notes == ("a checkpoint is damaged", "another one")
    assert b.snapshot()["semantics"].notes == ()
