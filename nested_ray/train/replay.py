"""A level's steps made again from a recording, from its first one or from any of its checkpoints."""

from __future__ import annotations

from pathlib import Path

from nested_ray.checkpoints import TrainingState
from nested_ray.distill.recorded import Recording, RecordingExchange, ReplayedExchange
from nested_ray.train.level import LevelTrainer
from nested_ray.train.pairing import Record


def record(trainer: LevelTrainer) -> None:
    """Write down what the trainer reads from now on, beside its checkpoints; a level alone reads nothing."""
    if trainer.peers.exchange is not None and trainer.job.checkpoints_dir is not None:
        folder = recording_folder(Path(trainer.job.checkpoints_dir), trainer.rank)
        first_read = trainer.step * trainer.job.level.budget.update_every
        exchange = trainer.peers.exchange
        trainer.peers.exchange = RecordingExchange(exchange, folder, first_read=first_read)


def recording_folder(checkpoints_dir: Path, rank: int) -> Path:
    return checkpoints_dir / f"exchange-{rank}"


def replay(trainer: LevelTrainer, recording: Recording, state: TrainingState | None = None) -> None:
    """Let the trainer make its next steps from the recording, with the records that it had in hand.

    `state` is the checkpoint that the trainer was built from, if any; it is restored here. The recording is of
    a worker with the same rank. Raises TrainingError where the two are not of one attempt.
    """
    if state is not None:
        trainer.restore(state)
    first_read = trainer.step * trainer.job.level.budget.update_every
    trainer.peers.exchange = ReplayedExchange(recording, first_read=first_read)
    # A process that had just begun there had lost what the one before had in hand.
    if state is not None and not recording.began_at(first_read):
        keys = [(level, batch_id, step) for level, batch_id, step in state.cursor["in_hand"]]
        found = recording.find(keys, before=first_read)
        trainer.peers.pool.refill(Record(header, payload) for header, payload in found)
