"""What a person sees of a run: live bars on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from nested_ray.train.progress import LevelProgress
from nested_ray.train.reporter import Advance

LINE_EVERY_S = 10.0
"""In a log, one line per stage or level at this pace."""


class ConsoleReporter:
    """Writes to stderr, so that `--json` on stdout stays clean."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._last_line = 0.0

    @contextmanager
    def stage(self, title: str) -> Iterator[Advance]:
        """Show one stage while it lasts, then one line with its time."""
        started = time.monotonic()
        bars = stage_bars(self.console) if self.console.is_terminal else None
        if bars is None:
            self.console.print(f"… {title}")
        else:
            bars.start()
        task = bars.add_task(title, total=None) if bars is not None else None
        self._bars, self._tasks = bars, {}
        detail_shown = ""

        def advance(done: int, total: int | None, detail: str) -> None:
            nonlocal detail_shown
            detail_shown = detail
            if bars is not None and task is not None:
                bars.update(task, completed=done, total=total, description=f"{title} {detail}")
            else:
                self._line(f"… {title}: {describe_advance(done, total, detail)}")

        try:
            yield advance
        finally:
            if bars is not None:
                bars.stop()
            self._bars = None
        seconds = time.monotonic() - started
        self.console.print(
            f"[green]✓[/] {title} [dim]{seconds:.1f} s {escape(detail_shown)}[/]", highlight=False
        )

    def note(self, text: str) -> None:
        self.console.print(f"  {text}", highlight=False, markup=False)

    def show(self, renderable: Any) -> None:
        self.console.print(renderable)

    def levels(self, snapshot: Mapping[str, LevelProgress]) -> None:
        """One bar per level: step, tokens/s, loss, targets used, ETA."""
        if self._bars is None:
            self._line("\n".join(f"  {describe_level(each)}" for each in snapshot.values()))
            return
        for name, level in snapshot.items():
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=level.max_steps)
            self._bars.update(
                self._tasks[name], completed=level.step, description=describe_level(level)
            )

    def _line(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            self.console.print(text, highlight=False, markup=False)


def stage_bars(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),  # file names hold brackets
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,  # stdout is not ours: the session passes on what Ray prints there
    )


@contextmanager
def one_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr, where that is a terminal; it is told the stage at work, how far it is and of how much."""
    bars = stage_bars(Console(stderr=True))
    task = bars.add_task("", total=None)

    def advance(stage: str, done: int, total: int) -> None:
        bars.update(task, description=stage, completed=done, total=total)

    with bars:
        yield advance


def describe_advance(done: int, total: int | None, detail: str) -> str:
    """`120 of 7,908 train`, `120 json/decoder.py`, or the detail alone before anything is done."""
    if total:
        return f"{done:,} of {total:,} {detail}"
    return f"{done:,} {detail}" if done else detail


def describe_level(level: LevelProgress) -> str:
    """`semantics     120/250  3,410 tok/s  loss 3.812  targets used 14  ETA 0:41`."""
    eta = "–" if level.eta_s is None else f"{int(level.eta_s) // 60}:{int(level.eta_s) % 60:02d}"
    loss = "–" if level.loss is None else f"{level.loss:.3f}"
    return (
        f"{level.level:<13}{level.step:>5}/{level.max_steps:<5} {level.tokens_per_second:>7,.0f} tok/s  "
        f"loss {loss}  targets used {level.targets_used}  ETA {eta}"
    )
