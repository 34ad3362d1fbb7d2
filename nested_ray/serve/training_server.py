"""The training desk in a process of its own: requests from HTTP, and the queue looked after between them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nested_ray.api.training import TrainingList, TrainingSession, TrainRequest
from nested_ray.config.serve import TrainingServeConfig
from nested_ray.errors import NestedRayError
from nested_ray.serve.ray_jobs import RayJobs
from nested_ray.serve.training import TrainingDesk

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 3.0


class TrainingServer:
    """A TrainingDesk behind one worker thread, which also looks after the queue between requests."""

    def __init__(self, desk: TrainingDesk) -> None:
        self._desk = desk
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="training")
        self._closing = threading.Event()
        threading.Thread(target=self._look_after, name="training-queue", daemon=True).start()

    async def start(self, request: TrainRequest) -> TrainingSession:
        return await self._do(self._desk.start, request)

    async def get(self, session: str) -> TrainingSession:
        return await self._do(self._desk.get, session)

    async def sessions(self) -> TrainingList:
        return await self._do(self._desk.sessions)

    async def cancel(self, session: str) -> TrainingSession:
        return await self._do(self._desk.cancel, session)

    async def resume(self, session: str) -> TrainingSession:
        return await self._do(self._desk.resume, session)

    def close(self) -> None:
        """Stop looking after the queue; jobs go on."""
        self._closing.set()
        self._worker.shutdown()

    async def _do(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)

    def _look_after(self) -> None:
        while not self._closing.wait(LOOK_EVERY_S):
            try:
                self._worker.submit(self._desk.advance).result()
            except NestedRayError as exc:
                logger.warning("training queue: %s", exc)
            except Exception:
                if not self._closing.is_set():
                    logger.exception("training queue")


class TrainingReplica(TrainingServer):
    """A TrainingServer in a process of its own, on the cluster's head, where the jobs write their runs."""

    def __init__(self, settings: TrainingServeConfig, home: Path, working_dir: Path) -> None:
        super().__init__(TrainingDesk(settings, home, RayJobs(home, working_dir)))
