"""One thread for blocking work: in the event loop it would stall health checks and every other request."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Worker:
    """Runs one piece of work at a time, the others wait their turn."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(
        self, work: Callable[[threading.Event], T], stop: threading.Event | None = None
    ) -> T:
        """What the work gives; cancelling the caller sets the event it is handed, so that it can end early."""
        stop = stop or threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, stop)
        finally:
            stop.set()
