"""Where an answer ends because the text behind the cursor goes on."""

from __future__ import annotations

from dataclasses import dataclass

OPENING_BRACKETS = "([{"
CLOSING_BRACKETS = ")]}"
QUOTES = "\"'`"
SEPARATORS = ":;,"


@dataclass(frozen=True)
class Ending:
    """What the suffix will say itself, and so the answer does not."""

    stop: tuple[str, ...] = ()
    """Strings before which the answer ends."""
    closers: str = ""
    """Characters before which it ends, outside of the brackets and strings that it opened itself."""
    blanks: str = ""
    """What the suffix has before its closer; not said twice."""


NO_ENDING = Ending()


def ending_before(suffix: str) -> Ending:
    """How an answer before this suffix ends.

    Any line of code is recognised when the answer repeats it. Closing punctuation is too common for
    that: `print(|)` takes `len(x)`, and ends before the bracket that the answer did not open.
    """
    line = first_line_of(suffix)
    mark = line.strip()
    blanks = line[: len(line) - len(line.lstrip())]
    is_punctuation = all(char in CLOSING_BRACKETS + QUOTES + SEPARATORS for char in mark)
    if not mark:
        return NO_ENDING
    if "\n" in blanks:  # a line of its own
        return Ending(stop=(line,))
    if mark[0] in CLOSING_BRACKETS:
        return Ending(closers=CLOSING_BRACKETS, blanks=blanks)
    if is_punctuation and mark[0] in SEPARATORS:
        return Ending(closers=CLOSING_BRACKETS + mark[0], blanks=blanks)
    if is_punctuation:  # the cursor is inside of the string that this quote ends
        return Ending(stop=(mark[: len(mark) - len(mark.lstrip(mark[0]))],))
    return Ending(stop=(line,))


def first_line_of(suffix: str) -> str:
    """The suffix up to the end of its first line with something on it; empty when there is none."""
    num_blank = len(suffix) - len(suffix.lstrip())
    if num_blank == len(suffix):
        return ""
    line_end = suffix.find("\n", num_blank)
    return suffix if line_end < 0 else suffix[: line_end + 1]


class CloserSearch:
    """Looks for a closer in a growing text; strings end with their line at the latest."""

    def __init__(self, closers: str):
        self._closers = closers
        self._depth = 0
        self._quote = ""
        self._escaped = False

    def find(self, text: str) -> int | None:
        """Where in this next part of the text the first closer is."""
        if not self._closers:
            return None
        for position, char in enumerate(text):
            if self._is_quoted(char):
                continue
            if self._depth == 0 and char in self._closers:
                return position
            self._depth += (char in OPENING_BRACKETS) - (char in CLOSING_BRACKETS)
        return None

    def _is_quoted(self, char: str) -> bool:
        if not self._quote:
            self._quote = char if char in QUOTES else ""
            return bool(self._quote)
        if self._escaped:
            self._escaped = False
        elif char == "\\":
            self._escaped = True
        elif char in (self._quote, "\n"):
            self._quote = ""
        return True
