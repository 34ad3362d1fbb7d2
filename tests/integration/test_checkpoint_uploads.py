"""Checkpoints in a real S3 whose server is killed while they are uploaded."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import torch

from nested_ray.checkpoints import TrainingState, load_state, save_state
from nested_ray.config.storage import StorageConfig
from nested_ray.registry import artifacts as artifacts_module
from nested_ray.registry.addresses import StorageAddresses
from nested_ray.registry.artifacts import S3Artifacts
from nested_ray.train.archive import CheckpointArchive, find_run
from nested_ray.train.mending import SNAPSHOT
from nested_ray.train.uploads import CheckpointUploader, restore_levels

PLACE = {"name": "tiny", "settings": "5e77", "learned_from": "d47a"}


@pytest.fixture
def impatient(addresses: StorageAddresses) -> Iterator[S3Artifacts]:
    """A store that gives a server up after a second; the embedded one comes back at its old address."""
    address = addresses.s3
    assert address
    store = S3Artifacts(lambda: address, wait_s=1.0)
    yield store
    store.close()


def write_checkpoint(storage: Path, step: int) -> Path:
    folder = storage / f"checkpoint_{step:03d}"

    def write_model(directory: Path) -> None:
        (directory / "config.json").write_text("{}")
        (directory / "model.safetensors").write_bytes(os.urandom(12 * 2**20))

    state = TrainingState({"k": step}, {"step": step, "world_size": 1}, torch.get_rng_state())
    save_state(folder, state, rank=0, save_model=write_model)
    latest = {"latest_checkpoint_result": {"checkpoint_dir_name": folder.name}}
    (storage / SNAPSHOT).write_text(json.dumps(latest))
    return folder


def kill_s3(storage: StorageConfig) -> None:
    state = json.loads((storage.home / "storage.json").read_text())
    os.kill(state["servers"]["s3"]["pid"], signal.SIGKILL)


def keys(addresses: StorageAddresses) -> list[str]:
    assert addresses.s3
    client: Any = boto3.client(
        "s3",
        endpoint_url=addresses.s3.endpoint_url,
        aws_access_key_id=addresses.s3.access_key,
        aws_secret_access_key=addresses.s3.secret_key,
        region_name="us-east-1",
    )
    try:
        page = client.list_objects_v2(Bucket=addresses.s3.bucket, Prefix="checkpoints/tiny/")
        return [item["Key"] for item in page.get("Contents", [])]
    finally:
        client.close()


def test_checkpoints_survive_an_s3_that_is_killed_while_it_receives_them(
    storage: StorageConfig,
    addresses: StorageAddresses,
    impatient: S3Artifacts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(artifacts_module, "MULTIPART_BYTES", 5 * 2**20)
    monkeypatch.setattr(artifacts_module, "PART_BYTES", 5 * 2**20)
    archive, notes = CheckpointArchive(impatient, run_id="one", **PLACE), []
    uploader = CheckpointUploader(archive, {"syntax": tmp_path}, notes.append)

    def look() -> int:
        """As the uploader's thread does, without its pauses."""
        uploader.upload_newest()
        return uploader.num_uploaded

    write_checkpoint(tmp_path, 1)
    assert look() == 1

    # The second part of the second checkpoint's weights meets a server that has just been killed.
    blobs, killed = archive._blobs, []
    assert isinstance(blobs, S3Artifacts)
    call = blobs._call

    def kill_once(operation: str, **arguments: Any) -> Any:
        if operation == "upload_part" and arguments["PartNumber"] == 2 and not killed:
            killed.append(operation)
            kill_s3(storage)
        return call(operation, **arguments)

    monkeypatch.setattr(blobs, "_call", kill_once)
    write_checkpoint(tmp_path, 2)
    assert look() == 1
    assert killed
    assert len(notes) == 1
    assert "training goes on without" in notes[0]

    newest = write_checkpoint(tmp_path, 3)  # training does not wait
    deadline = time.monotonic() + 120
    while look() == 1:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    archive.close()
    assert len(notes) == 1

    # Another machine finds what was stored whole: the second checkpoint was overtaken.
    assert find_run(impatient, **PLACE) == "one"
    elsewhere = CheckpointArchive(impatient, run_id="one", **PLACE)
    assert [each.step for each in elsewhere.stored("syntax")] == [3, 1]
    restore_levels(elsewhere, {"syntax": tmp_path / "new"}, notes.append)
    assert notes[1] == "syntax has its checkpoint of step 3 from S3"
    (back,) = (tmp_path / "new").iterdir()
    files = {path.name: path.read_bytes() for path in newest.iterdir()}
    assert {path.name: path.read_bytes() for path in back.iterdir()} == files
    assert load_state(back, rank=0).cursor["step"] == 3

    named = {
        f"checkpoints/tiny/5e77/one/blobs/{d}"
        for c in elsewhere.stored("syntax")
        for d in c.files.values()
    }
    manifests = {
        key for key in keys(addresses) if key.startswith("checkpoints/tiny/5e77/manifests/")
    }
    assert (set(keys(addresses)) - manifests, len(manifests)) == (named, 2)
    elsewhere.clear()
    elsewhere.close()
    assert keys(addresses) == []
