"""The newest checkpoint that is whole, whatever happened to newer ones."""

import shutil

import pytest
import torch

from nested_ray.checkpoints import TrainingState, newest_whole, save_state, step_of
from nested_ray.checkpoints.finding import UNKNOWN_STEP


def write_fake_model(directory):
    (directory / "config.json").write_text("{}")
    (directory / "model.safetensors").write_bytes(b"weights")


def write_checkpoint(folder, step, *, world_size=1):
    for rank in range(world_size):
        cursor = {"step": step, "world_size": world_size, "rank": rank}
        state = TrainingState(optimizer={"k": 1}, cursor=cursor, rng=torch.get_rng_state())
        save_state(folder, state, rank=rank, save_model=write_fake_model)
    return folder


@pytest.fixture
def folders(tmp_path):
    """Names that sort differently from their steps."""
    return [
        write_checkpoint(tmp_path / name, step) for name, step in (("c", 10), ("a", 30), ("b", 20))
    ]


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:3])


def flip_a_byte(folder):
    path = folder / "optimizer.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


DAMAGES = {
    "model.safetensors should have": truncate,
    "optimizer.safetensors should have": flip_a_byte,
    "no readable manifest.json": lambda folder: (folder / "manifest.json").unlink(),
    "no readable manifest-0.json": lambda folder: (folder / "manifest-0.json").write_text("{"),
    "cursor-0.json should have": lambda folder: (folder / "cursor-0.json").unlink(),
    "incomplete": empty,
}


def test_the_highest_step_is_the_newest(folders):
    found = newest_whole(folders)
    assert (found.folder, found.step, found.problems) == (folders[1], 30, ())


@pytest.mark.parametrize(("problem", "damage"), DAMAGES.items())
def test_a_damaged_newest_one_is_passed_over_and_said(folders, problem, damage):
    damage(folders[1])
    found = newest_whole(folders)
    assert (found.folder, found.step) == (folders[2], 20)
    assert len(found.problems) == 1
    assert str(folders[1]) in found.problems[0]
    assert problem in found.problems[0]


def test_with_none_that_is_whole_every_problem_is_told(folders):
    for folder in folders:
        truncate(folder)
    found = newest_whole(folders)
    assert (found.folder, found.step, len(found.problems)) == (None, 0, 3)
    assert newest_whole([]).problems == ()


def test_a_checkpoint_lacking_one_workers_share_is_not_whole(tmp_path):
    whole = write_checkpoint(tmp_path / "old", 5, world_size=2)
    torn = write_checkpoint(tmp_path / "new", 9, world_size=2)
    (torn / "manifest-1.json").unlink()
    found = newest_whole([whole, torn])
    assert found.folder == whole
    assert "manifest-1.json" in found.problems[0]


def test_a_cursor_that_cannot_be_read_has_no_step(folders):
    (folders[0] / "cursor-0.json").write_text('{"step"')
    assert step_of(folders[0]) == UNKNOWN_STEP
    assert step_of(folders[1]) == 30
