"""The syntax level sees a window of tokens and nothing else."""

from __future__ import annotations

from nested_ray.levels.base import Place


class SyntaxLevel:
    kind = "syntax"
    marker = "<|window|>"

    def context(self, place: Place) -> str:
        """Always empty: the window is all there is."""
        return ""
