"""What is said about levels that wait for a place, and when they are given up."""

from __future__ import annotations

from pathlib import Path

import pytest

from nested_ray.train.placement import PlacementWatchdog, Room
from nested_ray.train.progress import LevelProgress
from nested_ray.train.runs import LevelRun

CPU = {"CPU": 1.0}
GPU = {"CPU": 1.0, "GPU": 1.0}


class World:
    """A clock and a cluster that the test moves."""

    def __init__(self, make_job, resources):
        self.now = 0.0
        self.run = LevelRun(make_job(), resources, "GPU" in resources, Path("unused"), 3)
        self.room = Room(total={"CPU": 4.0}, free={"CPU": 4.0}, pending=())
        self.dog = PlacementWatchdog(
            100.0, say_after_s=20.0, read_room=lambda: self.room, clock=lambda: self.now
        )

    def look(self, *, at, step=0, state="waiting"):
        self.now = at
        level = LevelProgress("syntax", 12, state, step=step, notes=("before",))
        first, *others = self.dog.look([self.run], {"syntax": level})["syntax"].notes
        assert first == "before"
        return others


def test_a_level_that_is_being_started_is_not_mentioned(make_job):
    world = World(make_job, CPU)
    assert world.look(at=0) == []
    assert world.look(at=60) == []  # slow, but nothing is asked for in vain


def test_a_level_that_the_cluster_is_too_small_for_is_named_and_then_given_up(make_job):
    world = World(make_job, GPU)
    assert world.look(at=0) == []
    (sentence,) = world.look(at=21)
    assert sentence.startswith("syntax has no place: the whole cluster is too small for it")
    assert "GPU: 1 asked for, 0 there" in sentence
    assert "given up after 100 s" in sentence
    assert world.run.error is None
    world.look(at=101)
    assert "no place for it even when empty (GPU: 1 asked for, 0 there)" in str(world.run.error)


def test_a_cluster_that_grows_in_time_is_forgiven(make_job):
    world = World(make_job, GPU)
    world.look(at=0)
    world.look(at=90)
    world.room = Room(total={"CPU": 4.0, "GPU": 1.0}, free={}, pending=())
    assert world.look(at=95) == []
    world.room = Room(total={"CPU": 4.0}, free={}, pending=())
    world.look(at=120)
    assert world.run.error is None


@pytest.mark.parametrize("state", ["waiting", "training"])  # before its start, or after a lost node
def test_a_level_that_waits_for_others_to_end_is_named(make_job, state):
    world = World(make_job, CPU)
    world.room = Room(total={"CPU": 1.0}, free={"CPU": 0.5}, pending=((CPU,),))
    assert world.look(at=0, step=7, state=state) == []
    (sentence,) = world.look(at=25, step=7, state=state)
    assert sentence.startswith(
        "syntax waits for a place: 1 x (1 CPU) asked for, 0.5 CPU free in the whole cluster"
    )
    assert world.look(at=200, step=8, state="training") == []
    assert world.run.error is None


def test_requests_of_others_are_not_taken_for_the_levels(make_job):
    world = World(make_job, CPU)
    world.room = Room(total={"CPU": 1.0}, free={}, pending=((CPU, CPU), (GPU,)))
    world.look(at=0)
    assert world.look(at=25) == []
