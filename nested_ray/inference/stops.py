"""From token bytes to text that may be shown: whole characters, and no part of a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import replace

from nested_ray.inference.base import TokenLogprob
from nested_ray.inference.endings import NO_ENDING, CloserSearch, Ending


class TextBuffer:
    """Holds tokens back while their text could still become a stop string or half a character.

    The texts of all released tokens, joined, are the text of the answer. A character whose bytes
    are spread over several tokens belongs to the one that completes it.
    """

    def __init__(self, stop: Sequence[str], ending: Ending = NO_ENDING):
        self._stop = tuple(text for text in (*stop, *ending.stop) if text)
        self._blanks = ending.blanks
        self._closers = CloserSearch(ending.closers)
        # Blanks are held back as the beginning of a stop string is: they may lead to a closer.
        self._held_back = (*self._stop, ending.blanks + ending.closers[:1])
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held: list[TokenLogprob] = []
        self.stopped = False
        """A stop string was met; everything before it has been released, nothing more will be."""

    def push(self, token: TokenLogprob, data: bytes) -> list[TokenLogprob]:
        """Add one token with the bytes it contributes; returns the tokens whose text is now certain."""
        if self.stopped:
            return []
        self._held.append(replace(token, text=self._decoder.decode(data)))
        text = "".join(held.text for held in self._held)
        position = self._find_stop(text, num_new=len(self._held[-1].text))
        if position is not None:
            self.stopped = True
            return self._cut(position)
        return self._release(len(text) - self._num_uncertain(text))

    def finish(self) -> list[TokenLogprob]:
        """Release what is held; the bytes of an unfinished character are dropped."""
        held, self._held = self._held, []
        return held

    def _find_stop(self, text: str, num_new: int) -> int | None:
        """Start of the stop string that is complete first, the longest of those that end together.

        A closer is a stop string too, wherever it is one: the search for it has seen the text
        before the `num_new` characters.

        So the answer does not depend on how the text is cut into tokens.
        """
        starts = {stop: text.find(stop) for stop in self._stop}
        ends = [(start + len(stop), start) for stop, start in starts.items() if start >= 0]
        num_seen = len(text) - num_new
        if (closer := self._closers.find(text[num_seen:])) is not None:
            before = text[: num_seen + closer]
            ends.append((len(before) + 1, len(before.removesuffix(self._blanks))))
        return min(ends)[1] if ends else None

    def _num_uncertain(self, text: str) -> int:
        """Length of the longest end of `text` with which some stop string begins."""
        longest = max(len(stop) for stop in self._held_back) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._held_back):
                return length
        return 0

    def _release(self, num_certain: int) -> list[TokenLogprob]:
        """Take the tokens that end within the first `num_certain` characters.

        A token without text may be the first byte of a character: it waits for the next one.
        """
        end = count = 0
        for position, token in enumerate(self._held, start=1):
            end += len(token.text)
            if end > num_certain:
                break
            if token.text:
                count = position
        released, self._held = self._held[:count], self._held[count:]
        return released

    def _cut(self, position: int) -> list[TokenLogprob]:
        """Take the tokens that begin before `position`, the last of them shortened to it."""
        released: list[TokenLogprob] = []
        start = 0
        for token in self._held:
            if start >= position:
                break
            released.append(replace(token, text=token.text[: position - start]))
            start += len(token.text)
        self._held = []
        return released
