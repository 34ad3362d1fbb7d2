"""The Level protocol: what a level sees of the place where code is predicted.

The same code makes contexts for training and for serving, so a model is never asked with a context
of a form that it was not trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Place:
    """Where a target window begins: a file and the text before the window.

    Nothing at or after the window's first character is in it, so a context cannot leak the target.
    """

    path: str
    language: str
    before: str


class Level(Protocol):
    """What one kind of level adds to the context of the kinds below it."""

    kind: str
    marker: str
    """The special token that opens this level's part of the context."""

    def context(self, place: Place) -> str:
        """The text this level adds, most relevant part last; empty when there is nothing to add."""
        ...
