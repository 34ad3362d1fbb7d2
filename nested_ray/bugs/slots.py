"""Slot: a place of a file that holds one of a few words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nested_ray.languages.base import Span

SlotKind = Literal["name", "operator", "literal", "arguments"]
KINDS: tuple[SlotKind, ...] = ("name", "operator", "literal", "arguments")


@dataclass(frozen=True)
class Slot:
    """Something that could be wrong."""

    kind: SlotKind
    span: Span
    position: int
    """Its first code token."""
    options: tuple[str, ...]
    """Texts for the span; the first one stands there."""
    symbols: tuple[int, ...] = ()
    """Of a name: the symbol behind each option."""
    parts: tuple[tuple[int, int], ...] = ()
    """Of arguments: first and one-past-last token of both."""

    def replaced(self, text: str, option: int) -> str:
        """The file with another option in the slot."""
        return text[: self.span.start] + self.options[option] + text[self.span.end :]
