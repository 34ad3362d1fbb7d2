"""The Reporter protocol: how a run tells whoever watches it what it is doing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

Advance = Callable[[int, int | None, str], None]
"""`advance(done, total, detail)`: how far a stage is; total None when unknown."""


class Reporter(Protocol):
    """A terminal, a log, or nothing."""

    def stage(self, title: str) -> Any:
        """A context manager for one stage of work; it gives an `Advance`."""
        ...

    def note(self, text: str) -> None:
        """One line worth reading."""
        ...

    def show(self, renderable: Any) -> None:
        """A table or another rich renderable."""
        ...

    def levels(self, snapshot: Any) -> None:
        """The state of every level's training, about once a second."""
        ...


class SilentReporter:
    """Says nothing: for tests and for callers that only want the result."""

    @contextmanager
    def stage(self, title: str) -> Iterator[Advance]:
        yield lambda done, total, detail: None

    def note(self, text: str) -> None:
        pass

    def show(self, renderable: Any) -> None:
        pass

    def levels(self, snapshot: Any) -> None:
        pass
