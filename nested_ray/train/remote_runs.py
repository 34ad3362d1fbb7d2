"""Remote levels beside a training: one thread each in the driver, with its own end of the exchange."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datasets import Dataset

from nested_ray.config.remote import RemoteLevel
from nested_ray.config.train import TrainConfig
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.distill.ray_exchange import RayExchange
from nested_ray.train.job import LevelJob
from nested_ray.train.remote_client import RemoteClient
from nested_ray.train.remote_teacher import Cursor, RemoteTeacher, key_of

logger = logging.getLogger(__name__)

END_TIMEOUT_S = 2.0
"""A request under way at the end is given up: its answer could teach nobody."""


class RemoteRun:
    """One remote level while the others train."""

    def __init__(
        self,
        level: RemoteLevel,
        job: LevelJob,
        *,
        tokenizer: NestTokenizer,
        exchange: RayExchange,
        folder: Path,
    ) -> None:
        self.name = level.name
        self._path = folder / f"remote-{level.name}.json"
        self._cursor = Cursor.load(self._path)
        self._exchange = exchange
        self._stopped = threading.Event()
        self._client = RemoteClient(
            level.model, key_of(level), self._cursor.costs, self._stopped.wait
        )
        self._teacher = RemoteTeacher(
            level,
            job,
            tokenizer=tokenizer,
            dataset=Dataset.load_from_disk(job.dataset_dir),
            exchange=exchange,
            client=self._client,
            cursor=self._cursor,
        )
        self._thread = threading.Thread(target=self._run, name=f"remote-{level.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._stopped.set()
        self._thread.join(END_TIMEOUT_S)
        self._client.close()
        self._exchange.close()

    def facts(self) -> dict[str, Any]:
        return self._cursor.facts()

    def _run(self) -> None:
        try:
            self._teacher.run(self._stopped, self._path)
        except Exception as exc:
            if self._stopped.is_set():
                return
            self._cursor.silent_because = f"{type(exc).__name__}: {exc}"
            logger.exception("%s is silent", self.name)


@contextmanager
def remote_teachers(
    config: TrainConfig,
    widest: LevelJob,
    *,
    tokenizer_file: Path | None,
    exchange_name: str | None,
    namespace: str,
    folder: Path,
) -> Iterator[list[RemoteRun]]:
    """The config's remote levels, at work inside the block; none in a run without exchange."""
    runs: list[RemoteRun] = []
    if exchange_name is None or not config.remote_levels:
        yield runs
        return
    if tokenizer_file is None:
        raise ValueError("remote levels need the nest's tokenizer_file")
    tokenizer = NestTokenizer.load(tokenizer_file)
    try:
        for level in config.remote_levels:
            exchange = RayExchange(
                exchange_name,
                namespace,
                level.name,
                keep=config.distill.keep_records,
                accepts=lambda header, name=level.name: header.batch_id.startswith(f"{name}/"),
            )
            runs.append(
                RemoteRun(level, widest, tokenizer=tokenizer, exchange=exchange, folder=folder)
            )
            runs[-1].start()
        yield runs
    finally:
        for run in runs:
            run.end()
