"""Building much that stays → without the garbage collector looking through all of it again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collecting() -> Iterator[None]:
    """For a while that only builds values that are kept and have no cycles.

    The collector looks at everything there is whenever that has grown by a quarter: for an index of
    2,000 files this was a third of the time. Whoever finds it off leaves it off.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
