"""Checkpoints on their way to S3 while a run trains, and back when its folder is gone.

The process that started the run uploads what Ray Train has finished writing into the run folder. So no worker waits
for S3, and no credentials leave the process that read them from its environment.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nested_ray.checkpoints import newest_whole
from nested_ray.config.train import TrainConfig
from nested_ray.errors import DigestMismatch, StorageError, StorageUnavailable
from nested_ray.files import write_json
from nested_ray.registry.artifacts import Artifacts
from nested_ray.train.archive import CheckpointArchive, find_run
from nested_ray.train.mending import checkpoint_folders, latest_name
from nested_ray.train.rundir import RunDir, config_digest, has_sibling

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
MAX_PAUSE_S = 60.0
"""Longest wait after a failed upload; the first is one second, and each is twice as long as the one before."""
CLOSE_TIMEOUT_S = 60.0
"""How long an interrupted run waits for its last upload."""
ID_FILE = "upload.json"

Note = Callable[[str], None]


@contextmanager
def uploading(
    config: TrainConfig,
    artifacts: Artifacts,
    run_dir: RunDir,
    *,
    learned_from: str,
    fresh: bool,
    note: Note,
) -> Iterator[None]:
    """Restore what this machine lacks of the run, upload inside the block, and clear away after a finished run.

    Does nothing unless `checkpoints.upload` is set. Raises StorageUnavailable when a run that is new on this
    machine cannot ask S3 whether it is.
    """
    if not config.checkpoints.upload:
        yield
        return
    archive = open_archive(
        config, artifacts, run_dir, learned_from=learned_from, fresh=fresh, note=note
    )
    storages = {level.name: run_dir.path / "ray" / level.name for level in config.levels}
    restore_levels(archive, storages, note)
    uploader = CheckpointUploader(archive, storages, note)
    uploader.start()
    try:
        yield
    except BaseException:
        uploader.close(flush=True)
        raise
    uploader.close(flush=False)
    clear(archive)


def open_archive(
    config: TrainConfig,
    artifacts: Artifacts,
    run_dir: RunDir,
    *,
    learned_from: str,
    fresh: bool,
    note: Note,
) -> CheckpointArchive:
    """This run's place in S3: where it uploaded before, or where the same run did on a machine that is gone."""
    # The name without its number: a new machine counts from one.
    name, settings = run_dir.run_id.rpartition("-")[0], config_digest(config)[:16]
    file = run_dir.path / ID_FILE
    if file.exists():
        run_id = json.loads(file.read_text(encoding="utf-8"))["run_id"]
    else:
        run_id = None
        begun = (run_dir.path / "ray").exists()
        if not (fresh or begun or has_sibling(run_dir.path, config)):
            run_id = find_run(artifacts, name=name, settings=settings, learned_from=learned_from)
            if run_id is not None:
                note(f"{run_dir.run_id} was begun elsewhere: its checkpoints are in S3")
        run_id = run_id or uuid.uuid4().hex
        write_json(file, {"run_id": run_id})
    return CheckpointArchive(
        artifacts, name=name, settings=settings, run_id=run_id, learned_from=learned_from
    )


def restore_levels(archive: CheckpointArchive, storages: Mapping[str, Path], note: Note) -> None:
    """Download each level's newest whole checkpoint where the machine has none as new."""
    try:
        for level, storage in storages.items():
            restore_level(archive, level, storage, note)
    except StorageUnavailable as exc:
        note(
            f"checkpoints in S3 are not looked at, the run goes on from those in its folder: {exc}"
        )


def restore_level(archive: CheckpointArchive, level: str, storage: Path, note: Note) -> None:
    here = newest_whole(checkpoint_folders(storage))
    for stored in archive.stored(level):
        if here.folder is not None and stored.step <= here.step:
            return
        try:
            archive.restore(stored, storage)
        except DigestMismatch as exc:
            note(f"{level}: the checkpoint of step {stored.step} in S3 is damaged: {exc}")
            continue
        note(f"{level} has its checkpoint of step {stored.step} from S3")
        return


class CheckpointUploader:
    """A thread that uploads each level's newest checkpoint; what was overtaken meanwhile is left out."""

    def __init__(
        self, archive: CheckpointArchive, storages: Mapping[str, Path], note: Note
    ) -> None:
        self._archive, self._storages, self._note = archive, storages, note
        self._uploaded: dict[str, str] = {}
        self.num_uploaded = self.num_failures = 0
        self._failures_in_a_row = 0
        self._closing = threading.Event()
        self._flush = False
        # A daemon: an S3 that never answers must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="checkpoint-uploads", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, *, flush: bool) -> None:
        """End the thread; with `flush`, after the newest checkpoints are up or a minute has passed."""
        self._flush = flush
        self._closing.set()
        self._thread.join(CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            logger.warning("S3 is still busy with a checkpoint; it is left behind unfinished")
        elif self.num_failures:
            logger.warning(
                "%d checkpoints uploaded, %d attempts failed", self.num_uploaded, self.num_failures
            )

    def _run(self) -> None:
        while not self._closing.wait(self._pause()):
            self.upload_newest()
        if self._flush and not self._failures_in_a_row:
            self.upload_newest()
        self._archive.close()

    def _pause(self) -> float:
        if not self._failures_in_a_row:
            return LOOK_EVERY_S
        return min(MAX_PAUSE_S, 2.0 ** (self._failures_in_a_row - 1))

    def upload_newest(self) -> None:
        """One look at every level. Nothing that S3 does comes out of here but as a note."""
        for level, storage in self._storages.items():
            name = latest_name(storage)
            if name is None or name == self._uploaded.get(level):
                continue
            checkpoint = storage / name
            try:
                self._archive.store(level, checkpoint)
            except FileNotFoundError:
                continue  # overtaken by newer ones, and deleted
            except DigestMismatch as exc:
                if checkpoint.is_dir():
                    self._uploaded[level] = name  # as good as it will ever be
                    self._failed(f"a checkpoint of {level} is not uploaded: {exc}")
                continue
            except (StorageError, OSError) as exc:
                self._failures_in_a_row += 1
                self._failed(f"checkpoints cannot be uploaded, training goes on without: {exc}")
                return
            self._uploaded[level] = name
            self.num_uploaded += 1
            self._failures_in_a_row = 0

    def _failed(self, text: str) -> None:
        self.num_failures += 1
        if self.num_failures == 1:
            self._note(text)
        else:
            logger.debug(text)


def clear(archive: CheckpointArchive) -> None:
    """Delete a finished run's checkpoints: the registry has what they became."""
    try:
        archive.clear()
    except StorageError as exc:
        logger.warning("checkpoints of the finished run stay in S3: %s", exc)
    finally:
        archive.close()
