"""Folders of checkpoints that were never stored."""

import tempfile

from nested_ray.train.scratch import clear_scratch, new_scratch


def test_a_worker_deletes_what_its_killed_predecessor_left_and_nothing_else(
    make_job, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    job = make_job("syntax", checkpoints_dir="/runs/a-1/ray/syntax")
    mine = new_scratch(job, 0)
    (mine / "model.safetensors").write_bytes(b"weights")
    others = {
        new_scratch(job, 1),
        new_scratch(job, 10),
        new_scratch(make_job("semantics", checkpoints_dir="/runs/a-1/ray/semantics"), 0),
        new_scratch(make_job("syntax", checkpoints_dir="/runs/a-2/ray/syntax"), 0),
    }
    clear_scratch(job, 0)
    assert set(tmp_path.iterdir()) == others
    clear_scratch(job, 0)  # nothing left to delete
