"""What a review is doing: a status line on a terminal, now and then a line in a log."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.text import Text

LINE_EVERY_S = 10.0
SHOW_EVERY_S = 0.1


class ReviewProgress:
    """Writes to stderr, so that what is piped on stays clean."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status = self._console.status("reading files")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def on_file(self, number: int, path: str) -> None:
        """A file is read."""
        self._show(f"reading file {number:,}: {path}")

    def step(self, what: str, done: int, total: int | None) -> None:
        """Something is done, or some of it."""
        self._show(f"{what}: {done:,} of {total:,} files" if total else what)

    def _show(self, text: str) -> None:
        now = time.monotonic()
        pace = LINE_EVERY_S if self._status is None else SHOW_EVERY_S
        if now - self._last < pace:
            return
        self._last = now
        if self._status is not None:
            self._status.update(Text(text))
        else:
            self._console.print(text, highlight=False, markup=False)
