"""The folder of a local Ray cluster: gone with its command, or with the next one's start after a kill."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "nested-ray-"
LOCK = "command.lock"
"""Held by the command that the folder belongs to; the kernel lets go of it when that ends, however it ends."""


@contextmanager
def session_folder() -> Iterator[Path]:
    """A folder of this process's own; those of killed commands are deleted first."""
    delete_abandoned(Path(tempfile.gettempdir()))
    made = Path(tempfile.mkdtemp(prefix=f".{PREFIX}"))
    with (made / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Only now under the name that others look for: before, it would have seemed abandoned.
        folder = made.rename(made.with_name(made.name.removeprefix(".")))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def delete_abandoned(parent: Path) -> None:
    """Folders whose command has ended without deleting them."""
    for path in parent.glob(f"{PREFIX}*/{LOCK}"):
        try:
            with path.open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path.parent, ignore_errors=True)
        except OSError:  # in use, another user's, or just deleted by somebody else
            continue
