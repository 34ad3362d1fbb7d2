"""The place in a file that an answer is to fill: what fits there, and how much of what does not."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from enum import Enum
from functools import cached_property

from nested_ray.inference.base import Prompt
from nested_ray.languages import Language, Validity

MAX_TRIES = 64
"""Beginnings of an answer that are tried in a whole file; each costs a few milliseconds."""

_LINE_END = re.compile(r"\r\n?|\n")


class State(Enum):
    """What can be said of the file without the answer."""

    WHOLE = "whole"
    """It parses."""
    BEGUN = "begun"
    """What stands before the answer can still become a file."""
    LOST = "lost"
    """It is broken already; nothing is held against an answer."""


class Gap:
    """One place in one file."""

    def __init__(self, language: Language, prompt: Prompt) -> None:
        self._language = language
        self._prefix = prompt.prefix
        self._suffix = prompt.suffix

    @cached_property
    def state(self) -> State:
        if self._suffix and self._parses_with(""):
            return State.WHOLE
        return State.BEGUN if self._can_go_on("") else State.LOST

    def fits(self, text: str) -> bool:
        """Whether the text breaks nothing that was sound before it."""
        if self.state is State.WHOLE:
            return self._parses_with(text)
        return self.state is State.LOST or self._can_go_on(text)

    def parses(self, text: str) -> bool | None:
        """Whether the file is sound with the text; None where neither can be shown.

        A file without a suffix is sound while it can go on.
        """
        if self._suffix and self._parses_with(text):
            return True
        if self.state is State.LOST:
            return None
        if not self.fits(text):
            return False
        return None if self._suffix else True

    def is_hopeless(self, text: str) -> bool:
        """Whether no text that begins with this one can fit."""
        return self.state is not State.LOST and not self._can_go_on(text)

    def cut_back(self, text: str, *, at_least: int = 0, is_finished: bool = False) -> str:
        """The longest beginning that fits: of whole lines, else of whole tokens; empty when none does.

        `at_least` characters are known to fit. The last line of a finished text is whole without a line end.
        """
        whole = [len(text)] if is_finished else []
        for ends in ([*_line_ends(text), *whole], self._token_ends(text)):
            wanted = [end for end in ends if end > at_least]
            kept = text[: self._longest(text, wanted) or at_least]
            if kept.strip():
                return kept
        return text[:at_least]

    def _longest(self, text: str, ends: Sequence[int]) -> int:
        """The last of the ends, which come in order, up to which the text fits; 0 when none does."""
        # Once hopeless, always hopeless: what lies behind need not be tried.
        num_hopeful = bisect_left(ends, True, key=lambda end: self.is_hopeless(text[:end]))
        for end in reversed(ends[max(0, num_hopeful - MAX_TRIES) : num_hopeful]):
            if self.fits(text[:end]):
                return end
        return 0

    def _token_ends(self, text: str) -> list[int]:
        line = self._prefix[max(self._prefix.rfind("\n"), self._prefix.rfind("\r")) + 1 :]
        ends = (token.span.end - len(line) for token in self._language.tokens(line + text))
        return sorted({end for end in ends if 0 < end <= len(text)})

    def _parses_with(self, text: str) -> bool:
        return self._language.check_insert(self._prefix, text, self._suffix)

    def _can_go_on(self, text: str) -> bool:
        return self._language.check_prefix(self._prefix + text) is not Validity.INVALID


def _line_ends(text: str) -> list[int]:
    """Offsets before and behind each line end."""
    return [offset for match in _LINE_END.finditer(text) for offset in match.span()]
