"""A level that just failed is left alone for a moment, so that no request waits for what is away."""

from __future__ import annotations

import time
from collections.abc import Callable

Key = tuple[int, str]
"""(nest version, level): a bad version trips alone."""


class Breaker:
    """After a failure a level rests; then one request tries it while the others still pass it by."""

    def __init__(self, rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rest_s = rest_s
        self._clock = clock
        self._open_until: dict[Key, float] = {}

    def allows(self, key: Key) -> bool:
        """Whether to ask now; a True after a failure makes the caller the one that tries."""
        until = self._open_until.get(key)
        if until is None:
            return True
        if self._clock() < until:
            return False
        self._open_until[key] = self._clock() + self._rest_s
        return True

    def succeeded(self, key: Key) -> None:
        self._open_until.pop(key, None)

    def failed(self, key: Key) -> None:
        self._open_until[key] = self._clock() + self._rest_s
