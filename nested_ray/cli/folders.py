"""Folders that commands keep things in between runs."""

from __future__ import annotations

import os
from pathlib import Path

from nested_ray.config.storage import default_home


def cache_folder() -> Path | None:
    """Where outlines are kept between runs; None where nothing can be written."""
    home = default_home()
    try:
        if not home.exists():
            home.mkdir(parents=True)
            (home / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError:
        return None
    return home / "outlines" if os.access(home, os.W_OK) else None
