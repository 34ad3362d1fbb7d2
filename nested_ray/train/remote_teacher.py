"""A remote level at work: opens shared batches, asks its model about some of their lines, publishes what it said.

It runs in a thread of the run's driver: its key stays in that process, and levels never wait for it. A new batch
is opened only when the ones before have found a student, so that nothing is paid for twice or in vain.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from nested_ray.config.remote import RemoteLevel
from nested_ray.config.storage import read_secret
from nested_ray.config.train import TrainConfig
from nested_ray.datasets.loader import Batch, batch_digest, load_batch
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.distill.exchange import Exchange, RecordHeader
from nested_ray.errors import ConfigError, TeacherFailed
from nested_ray.files import write_json
from nested_ray.train.job import LevelJob
from nested_ray.train.remote_client import Costs, RemoteClient
from nested_ray.train.remote_targets import StringMap, Taught, align, encode_taught, find_prefixes

logger = logging.getLogger(__name__)

MAX_WAITING = 4
"""Batches spoken about that no level has trained on yet."""
FORGOTTEN_AFTER_S = 600.0
LOOK_EVERY_S = 0.25
MAX_UNANSWERED = 3
"""Prompts in a row without any answer; then the level is silent."""


@dataclass
class Cursor:
    """Where a remote level stands; kept with the run, so that no batch is paid for twice."""

    num_opened: int = 0
    costs: Costs = field(default_factory=Costs)
    silent_because: str = ""

    def save(self, path: Path) -> None:
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Cursor:
        if not path.exists():
            return cls()
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(values["num_opened"], Costs(**values["costs"]))

    def facts(self) -> dict[str, Any]:
        """For the report of the training."""
        return {**asdict(self.costs), "silent_because": self.silent_because}


class RemoteTeacher:
    """One remote level of one run."""

    def __init__(
        self,
        level: RemoteLevel,
        job: LevelJob,
        *,
        tokenizer: NestTokenizer,
        dataset: Dataset,
        exchange: Exchange,
        client: RemoteClient,
        cursor: Cursor,
    ) -> None:
        """`job` and `dataset` are those of the level that sees most: its contexts are what is sent."""
        self.level, self.job, self.cursor = level, job, cursor
        self._tokenizer, self._dataset = tokenizer, dataset
        self._exchange, self._client = exchange, client
        self._strings = StringMap(tokenizer)
        self._waiting: dict[str, float] = {}
        self._last_sequence = 0
        self._unanswered = 0

    def run(self, stopped: threading.Event, path: Path) -> None:
        """Teach until the run ends, a budget is spent or the server is of no use; never raises for a server."""
        try:
            while not stopped.is_set():
                self.cursor.silent_because = self._client.exhausted
                if self.cursor.silent_because:
                    break
                if self.has_students_waiting():
                    stopped.wait(LOOK_EVERY_S)
                    continue
                self.teach_batch()
                self.cursor.save(path)
        except TeacherFailed as exc:
            self.cursor.silent_because = str(exc)
        self.cursor.save(path)
        if self.cursor.silent_because:
            logger.warning("%s is silent: %s", self.level.name, self.cursor.silent_because)

    def has_students_waiting(self) -> bool:
        """Whether enough batches lie in the exchange that no level has answered."""
        unread = self._exchange.unread(self.level.name, self._last_sequence)
        for number, header, _ in unread:
            self._last_sequence = number
            self._waiting.pop(header.batch_id, None)
        # An exchange that was restarted has forgotten them: nobody will ever answer.
        forgotten = time.monotonic() - FORGOTTEN_AFTER_S
        self._waiting = {
            batch_id: since for batch_id, since in self._waiting.items() if since > forgotten
        }
        return len(self._waiting) >= MAX_WAITING

    def teach_batch(self) -> None:
        """Open a batch, ask about some of its lines and publish what was said, if anything."""
        batch_id = f"{self.level.name}/0/{self.cursor.num_opened}"
        self.cursor.num_opened += 1
        batch = load_batch(
            self._dataset,
            seed=self.job.seed,
            batch_id=batch_id,
            batch_size=self.job.paired_batch_size,
            pad_id=self.job.pad_id,
            replay=self.job.replay,
        )
        taught = [each for answer in self._answers(batch) for each in answer]
        if not taught:
            return
        payload = encode_taught(taught, self.level.model.top_logprobs)
        self._exchange.publish(self._header(batch_id, batch), payload)
        self._waiting[batch_id] = time.monotonic()
        self.cursor.costs.batches += 1
        self.cursor.costs.tokens_taught += len({each.position for each in taught})

    def _answers(self, batch: Batch) -> Iterator[list[Taught]]:
        prefixes = list(find_prefixes(batch, self._tokenizer))
        count = min(self.level.model.prefixes_per_batch, len(prefixes))
        for place in np.linspace(0, len(prefixes), count, endpoint=False, dtype=int):
            prefix = prefixes[place]
            tokens = self._client.complete(prefix.text)
            if tokens is None:
                self._note_unanswered()
                continue
            self._unanswered = 0
            yield list(align(prefix, tokens, self._tokenizer, self._strings))

    def _note_unanswered(self) -> None:
        self._unanswered += 1
        if self._unanswered >= MAX_UNANSWERED and not self._client.exhausted:
            model = self.level.model
            raise TeacherFailed(
                f"{model.model} at {model.base_url} gave no usable answer to {self._unanswered} prompts "
                "in a row, with retries; the levels go on without it"
            )

    def _header(self, batch_id: str, batch: Batch) -> RecordHeader:
        return RecordHeader(
            level=self.level.name,
            batch_id=batch_id,
            batch_digest=batch_digest(batch),
            weights_step=self.cursor.num_opened,
            num_tokens=int((batch.target_ids >= 0).sum()),
            tokenizer_hash=self.job.tokenizer_hash,
            head_k=self.level.model.top_logprobs,
            tail_samples=0,
            partial=True,
        )


def key_of(level: RemoteLevel) -> str | None:
    """The key, from the variable that the config names; raises ConfigError when it is not set."""
    variable = level.model.api_key_env
    if variable is None:
        return None
    key = read_secret(variable)
    if key is None:
        raise ConfigError(
            f"{level.name}: the environment variable {variable} is not set; put the key there"
        )
    return key


def check_remote_levels(config: TrainConfig) -> None:
    """Raise ConfigError, before anything is read, when a key is missing."""
    for level in config.remote_levels:
        key_of(level)
