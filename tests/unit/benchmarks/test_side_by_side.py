"""Walls of levels together and alone: ratios by hand, memory of a process tree, when a training began."""

import subprocess
import sys

import pytest

from nested_ray.benchmarks.side_by_side import SideBySide, Walls, Watch, memory_of_tree, to_markdown
from nested_ray.train.progress import LevelProgress


def walls(*levels, training_s, extra=3_000, weights=1_000):
    return Walls(
        levels, start_s=5.0, training_s=training_s, extra_bytes=extra, weights_bytes=weights
    )


def test_ratios_compare_with_the_sum_and_with_the_slowest():
    result = SideBySide(
        walls("a", "b", training_s=33.0), (walls("a", training_s=10.0), walls("b", training_s=20.0))
    )
    assert result.of_the_sum == pytest.approx(1.1)
    assert result.of_the_slowest == pytest.approx(1.65)
    assert result.together.overhead_bytes == 2_000
    assert "one after the other: 1.10; over the slowest alone: 1.65" in to_markdown(result)


def test_a_training_has_begun_when_every_level_has_made_a_step():
    def snapshot(*steps):
        return {
            name: LevelProgress(level=name, max_steps=9, state="training", step=step)
            for name, step in zip("ab", steps, strict=True)
        }

    watch = Watch(num_levels=2)
    watch.look(snapshot(3, 0))
    assert watch.start_s is None
    watch.look(snapshot(4, 1))
    began = watch.start_s
    assert began is not None
    watch.look(snapshot(9, 9))
    assert watch.start_s == began


def test_memory_counts_what_children_hold():
    size = 80_000_000
    code = f"held = bytearray(b'x') * {size}; print(len(held), flush=True); input()"
    before = memory_of_tree()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert int(child.stdout.readline()) == size
        held = memory_of_tree() - before
        child.communicate("\n")
    assert size < held < 2 * size
    assert memory_of_tree() < before + size
