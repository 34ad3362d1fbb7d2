"""What was saved comes back bit for bit; what was damaged does not come back at all."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.checkpoints import TrainingState, load_state, save_state
from nested_ray.checkpoints.nesting import flatten, unflatten
from nested_ray.errors import DigestMismatch


def write_fake_model(directory):
    (directory / "config.json").write_text("{}")
    (directory / "model.safetensors").write_bytes(b"weights")


def state(step=3):
    return TrainingState(
        optimizer={"state": {0: {"z": torch.arange(3.0)}}, "param_groups": [{"lr": 0.1, "k": 2}]},
        cursor={"step": step, "trained": ["syntax/0/1"]},
        rng=torch.get_rng_state(),
    )


def saved(directory, rank=0, **changes):
    save_state(directory, state(**changes), rank=rank, save_model=write_fake_model)
    return directory


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
states = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.integers() | st.text(), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(states)
def test_any_plain_state_survives_json(value):
    tensors, structure = flatten(value)
    assert unflatten(tensors, json.loads(json.dumps(structure))) == value


def test_tensors_and_integer_keys_come_back(tmp_path):
    loaded = load_state(saved(tmp_path), rank=0)
    assert torch.equal(loaded.optimizer["state"][0]["z"], torch.arange(3.0))
    assert loaded.optimizer["param_groups"] == [{"lr": 0.1, "k": 2}]
    assert loaded.cursor == {"step": 3, "trained": ["syntax/0/1"]}
    assert torch.equal(loaded.rng, state().rng)


def test_nothing_is_pickled(tmp_path):
    suffixes = {path.suffix for path in saved(tmp_path).iterdir()}
    assert suffixes == {".json", ".safetensors"}


def test_ranks_share_a_folder_and_keep_their_own_cursor(tmp_path):
    saved(tmp_path, rank=0, step=8)
    saved(tmp_path, rank=1, step=9)
    assert load_state(tmp_path, rank=0).cursor["step"] == 8
    assert load_state(tmp_path, rank=1).cursor["step"] == 9


def test_a_rank_that_did_not_exist_before_starts_from_rank_0(tmp_path):
    saved(tmp_path, step=8)
    assert load_state(tmp_path, rank=5).cursor["step"] == 8


@pytest.mark.parametrize(
    "file", ["model.safetensors", "optimizer.safetensors", "optimizer.json", "cursor-0.json"]
)
def test_a_changed_byte_is_found(tmp_path, file):
    path = saved(tmp_path) / file
    path.write_bytes(path.read_bytes()[:-1] + b"~")
    with pytest.raises(DigestMismatch, match=file):
        load_state(tmp_path, rank=0)


@pytest.mark.parametrize("file", ["model.safetensors", "manifest.json", "rng-0.safetensors"])
def test_a_missing_file_is_found(tmp_path, file):
    (saved(tmp_path) / file).unlink()
    with pytest.raises(DigestMismatch, match=file):
        load_state(tmp_path, rank=0)


FILES = sorted(
    "config.json model.safetensors optimizer.safetensors optimizer.json manifest.json "
    "cursor-0.json rng-0.safetensors manifest-0.json".split()
)


def test_the_files_of_a_checkpoint_are_these(tmp_path):
    assert sorted(path.name for path in saved(tmp_path).iterdir()) == FILES


@pytest.mark.parametrize(
    "length", [0, 1, 0.5, -2], ids=["empty", "one-byte", "half", "all-but-two"]
)
@pytest.mark.parametrize("file", FILES)
def test_a_checkpoint_cut_off_at_any_file_is_refused(tmp_path, file, length):
    path = saved(tmp_path) / file
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * length) if length == 0.5 else length])
    with pytest.raises(DigestMismatch):
        load_state(tmp_path, rank=0)


@pytest.mark.parametrize("written", range(len(FILES)))
def test_a_checkpoint_whose_writing_or_upload_ended_early_is_refused(tmp_path, written):
    saved(tmp_path / "whole")
    (tmp_path / "part").mkdir()
    for file in FILES[:written]:
        (tmp_path / "part" / file).write_bytes((tmp_path / "whole" / file).read_bytes())
    with pytest.raises(DigestMismatch):
        load_state(tmp_path / "part", rank=0)


def test_something_that_cannot_be_stored_is_refused():
    with pytest.raises(TypeError, match="/hook: cannot store a function"):
        flatten({"hook": lambda: None})
