"""Checkpoints in S3: whole or not there, the newest two, and an S3 that fails."""

import json
from types import SimpleNamespace

import pytest
import torch

from nested_ray.checkpoints import TrainingState, load_state, save_state, step_of
from nested_ray.config.train import TrainConfig
from nested_ray.errors import DigestMismatch, StorageUnavailable
from nested_ray.registry.memory import InMemoryArtifacts
from nested_ray.train import uploads
from nested_ray.train.archive import CheckpointArchive, find_run
from nested_ray.train.mending import SNAPSHOT
from nested_ray.train.rundir import open_run

PLACE = {"name": "tiny", "settings": "5e77", "learned_from": "d47a"}


@pytest.fixture
def artifacts():
    return InMemoryArtifacts()


def archive(artifacts, run_id="one", **changes):
    return CheckpointArchive(artifacts, run_id=run_id, **{**PLACE, **changes})


def write_checkpoint(storage, step):
    folder = storage / f"checkpoint_{step:03d}"

    def write_model(directory):
        (directory / "config.json").write_text("{}")
        (directory / "model.safetensors").write_bytes(b"%d" % step)

    state = TrainingState({"k": step}, {"step": step, "world_size": 1}, torch.get_rng_state())
    save_state(folder, state, rank=0, save_model=write_model)
    latest = {"latest_checkpoint_result": {"checkpoint_dir_name": folder.name}}
    (storage / SNAPSHOT).write_text(json.dumps(latest))
    return folder


def num_blobs(artifacts, run_id="one"):
    return len(artifacts.folder(f"checkpoints/tiny/5e77/{run_id}/blobs/").objects)


def test_a_stored_checkpoint_comes_back_bit_for_bit(artifacts, tmp_path):
    folder = write_checkpoint(tmp_path, 20)
    archive(artifacts).store("syntax", folder)
    elsewhere = archive(artifacts)
    (stored,) = elsewhere.stored("syntax")
    back = elsewhere.restore(stored, tmp_path / "new" / "machine")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {path.name: path.read_bytes() for path in back.iterdir()} == files
    assert load_state(back, rank=0).cursor["step"] == 20
    assert elsewhere.stored("semantics") == []


def test_the_newest_two_of_each_level_stay(artifacts, tmp_path):
    store = archive(artifacts)
    for step in (1, 2, 3, 2):  # fallen back, and on from there
        store.store("syntax", write_checkpoint(tmp_path, step))
    store.store("semantics", write_checkpoint(tmp_path, 1))
    assert [each.step for each in archive(artifacts).stored("syntax")] == [2, 3]
    named = {
        digest
        for level in ("syntax", "semantics")
        for each in store.stored(level)
        for digest in each.files.values()
    }
    assert num_blobs(artifacts) == len(named)
    store.clear()
    assert (archive(artifacts).stored("syntax"), num_blobs(artifacts)) == ([], 0)


class DyingArtifacts(InMemoryArtifacts):
    """Goes away for good after some puts, over all folders."""

    def __init__(self, left):
        super().__init__()
        self.left = left

    def folder(self, path):
        inner = super().folder(path)
        put = inner.put

        def counted(sha256, file):
            if not self.left:
                raise StorageUnavailable("S3 is gone")
            self.left -= 1
            put(sha256, file)

        inner.put = counted
        return inner


def test_a_half_uploaded_checkpoint_does_not_count_and_is_swept(tmp_path):
    folder = write_checkpoint(tmp_path, 1)
    num_files = len(list(folder.iterdir()))
    for left in range(num_files + 1):
        artifacts = DyingArtifacts(left)
        with pytest.raises(StorageUnavailable):
            archive(artifacts).store("syntax", folder)
        assert archive(artifacts).stored("syntax") == []
        assert num_blobs(artifacts) == left
        artifacts.left = 1000
        other = write_checkpoint(tmp_path, 2)
        archive(artifacts).store("syntax", other)
        assert num_blobs(artifacts) == len({path.read_bytes() for path in other.iterdir()})


def test_damaged_and_missing_bytes_are_noticed_on_the_way_back(artifacts, tmp_path):
    store = archive(artifacts)
    store.store("syntax", write_checkpoint(tmp_path, 1))
    (stored,) = store.stored("syntax")
    blobs = artifacts.folder("checkpoints/tiny/5e77/one/blobs/").objects
    blobs[stored.files["model.safetensors"]] = b"other"
    with pytest.raises(DigestMismatch, match=r"model\.safetensors in S3 should have"):
        store.restore(stored, tmp_path / "new")
    del blobs[stored.files["model.safetensors"]]
    with pytest.raises(DigestMismatch, match="is missing"):
        store.restore(stored, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_damaged_checkpoint_pushes_no_good_one_out(artifacts, tmp_path):
    store = archive(artifacts)
    store.store("syntax", write_checkpoint(tmp_path, 1))
    folder = write_checkpoint(tmp_path, 2)
    (folder / "model.safetensors").write_bytes(b"3")
    with pytest.raises(DigestMismatch):
        store.store("syntax", folder)
    assert [each.step for each in store.stored("syntax")] == [1]


def test_a_manifest_that_names_a_path_is_left_out(artifacts, tmp_path):
    manifests = artifacts.folder("checkpoints/tiny/5e77/manifests/")
    store = archive(artifacts)
    store.store("syntax", write_checkpoint(tmp_path, 1))
    (content,) = manifests.objects.values()
    evil = tmp_path / "evil.json"
    evil.write_bytes(content.replace(b"model.safetensors", b"../../escaped"))
    from nested_ray.files import sha256_of

    manifests.put(sha256_of(evil), evil)
    manifests.objects["0" * 64] = content  # not the bytes of its name
    manifests.modified["0" * 64] = manifests.modified[sha256_of(evil)]
    assert len(archive(artifacts).stored("syntax")) == 1


def test_a_run_is_found_by_name_settings_and_corpus(artifacts, tmp_path):
    folder = write_checkpoint(tmp_path, 1)
    for run_id in ("one", "two"):
        archive(artifacts, run_id).store("syntax", folder)
    assert find_run(artifacts, **PLACE) == "two"
    assert archive(artifacts, "one").stored("syntax")[0].run_id == "one"
    for other in ({"name": "other"}, {"settings": "other"}, {"learned_from": "other"}):
        assert find_run(artifacts, **{**PLACE, **other}) is None


def uploader(store, storage):
    notes = []
    return uploads.CheckpointUploader(store, {"syntax": storage}, notes.append), notes


def test_each_newest_checkpoint_is_uploaded_once(artifacts, tmp_path):
    store = archive(artifacts)
    worker, notes = uploader(store, tmp_path)
    worker.upload_newest()
    assert worker.num_uploaded == 0
    write_checkpoint(tmp_path, 1)
    for _ in range(3):
        worker.upload_newest()
    write_checkpoint(tmp_path, 2)
    write_checkpoint(tmp_path, 3)  # overtakes the one before
    worker.upload_newest()
    assert [each.step for each in store.stored("syntax")] == [3, 1]
    assert (worker.num_uploaded, worker.num_failures, notes) == (2, 0, [])


def test_a_dead_s3_is_said_once_waited_for_and_caught_up_with(tmp_path):
    artifacts = DyingArtifacts(0)
    worker, notes = uploader(archive(artifacts), tmp_path)
    pauses = []
    for step in range(1, 9):
        write_checkpoint(tmp_path, step)
        worker.upload_newest()
        pauses.append(worker._pause())
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert notes == ["checkpoints cannot be uploaded, training goes on without: S3 is gone"]
    artifacts.left = 1000
    worker.upload_newest()
    assert [each.step for each in archive(artifacts).stored("syntax")] == [8]
    assert (worker.num_uploaded, worker.num_failures) == (1, 8)
    assert worker._pause() == uploads.LOOK_EVERY_S


def test_a_checkpoint_that_is_deleted_meanwhile_is_no_failure(artifacts, tmp_path):
    folder = write_checkpoint(tmp_path, 1)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    worker, notes = uploader(archive(artifacts), tmp_path)
    worker.upload_newest()
    assert (worker.num_failures, notes) == (0, [])


def config(**changes):
    return TrainConfig.from_values(
        {
            "name": "tiny",
            "corpus": {"sources": [{"type": "folder", "path": "unused"}]},
            "levels": [{"name": "syntax", "kind": "syntax", "weight": 0.3}],
            "checkpoints": {"upload": True},
            **changes,
        }
    )


class Machine:
    """One machine's runs; `train` is an attempt that leaves a checkpoint behind, or finishes."""

    def __init__(self, home, artifacts):
        self.home, self.artifacts, self.notes = home, artifacts, []

    def train(self, step=None, *, fresh=False, learned_from="d47a", settings=None):
        settings = settings or config()
        run = open_run(self.home, settings, solo=False, fresh=fresh)
        storage = run.path / "ray" / "syntax"
        try:
            with uploads.uploading(
                settings,
                self.artifacts,
                run,
                learned_from=learned_from,
                fresh=fresh,
                note=self.notes.append,
            ):
                found = sorted(map(step_of, storage.glob("checkpoint_*/")))
                if step is not None:
                    storage.mkdir(parents=True, exist_ok=True)
                    write_checkpoint(storage, step)
                    raise KeyboardInterrupt
            run.finish(1)
        except KeyboardInterrupt:
            pass
        finally:
            run.close()
        return found


@pytest.fixture
def machines(artifacts, tmp_path):
    return [Machine(tmp_path / name, artifacts) for name in ("first", "second")]


def test_the_same_command_on_another_machine_goes_on_and_a_finished_run_leaves_nothing(machines):
    first, second = machines
    assert first.train(step=10) == []
    assert second.train(step=20) == [10]
    assert "syntax has its checkpoint of step 10 from S3" in second.notes[1]
    assert first.train(step=15) == [10, 20]  # S3 is ahead of this machine's own
    assert second.train() != []
    assert Machine(first.home.parent / "third", first.artifacts).train(step=1) == []


def test_a_fresh_run_and_one_beside_a_finished_one_begin_at_nothing(machines):
    first, second = machines
    first.train(step=10)
    assert second.train(step=5, fresh=True) == []
    assert first.train(step=12) == [10]  # its own, not the fresh one's
    first.train()
    assert first.train(step=3) == []


def test_checkpoints_of_another_corpus_or_other_settings_are_not_taken(machines):
    first, second = machines
    first.train(step=10)
    assert second.train(step=1, learned_from="other") == []
    assert second.train(step=1, settings=config(seed=5)) == []


def test_a_new_run_that_cannot_ask_s3_does_not_begin_and_a_known_one_goes_on(machines, monkeypatch):
    first, second = machines
    first.train(step=10)
    real = InMemoryArtifacts.list_objects

    def dead(self):
        raise StorageUnavailable("S3 is gone")

    monkeypatch.setattr(InMemoryArtifacts, "list_objects", dead)
    with pytest.raises(StorageUnavailable):
        second.train(step=1)
    assert first.train(step=12) == [10]
    assert "checkpoints in S3 are not looked at" in first.notes[0]
    monkeypatch.setattr(InMemoryArtifacts, "list_objects", real)
    assert second.train(step=20) == [10]  # asked again


def test_nothing_is_done_unless_asked_for(tmp_path):
    settings = config(checkpoints={"upload": False})
    run = SimpleNamespace(path=tmp_path)
    with uploads.uploading(settings, None, run, learned_from="", fresh=False, note=print):
        pass
    assert list(tmp_path.iterdir()) == []
