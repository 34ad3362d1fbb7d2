"""Times of several ways to do the same, taken in turns: what else the machine does hits all alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import thread_time

NUM_ROUNDS = 5


def interleaved(
    ways: Mapping[str, Callable[[], object]], *, num_rounds: int = NUM_ROUNDS
) -> dict[str, float]:
    """Median seconds of processor time of each way; every round runs each once."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(num_rounds):
        for name, run in ways.items():
            started = thread_time()
            run()
            times[name].append(thread_time() - started)
    return {name: median(seconds) for name, seconds in times.items()}


def quantile(values: list[float], share: float) -> float:
    """The value below which that share of the values lies; nan of none."""
    if not values:
        return float("nan")
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]
