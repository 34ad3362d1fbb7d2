"""Whether a Python file compiles, block by block, so that a change costs the block it stands in.

A file compiles exactly when every statement at its margin does, apart from what blocks tell each
other: `from __future__ import`, which is passed on to the blocks behind it, and `global` outside of
functions, which is left to the compiler and the whole file. A cut at a line that only looks like a
statement, in a long string or between brackets, leaves a block that is open; it is read again
together with those behind it. A long class is read in the same way, member by member.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from nested_ray.languages.python.compiler import FUTURE_ANNOTATIONS, compile_error
from nested_ray.languages.python.limits import MAX_CHARS
from nested_ray.languages.python.verdicts import Setting, Verdict, Verdicts

_CLAUSES = r"(?!(?:else|elif|except|finally)\b)"
# Without `^`, which is tried at every character; the text before the first line end is a block anyway.
_START = re.compile(rf"\n(?:{_CLAUSES}[^\W\d]|@)")
_CLASS_BODY = re.compile(r":[ \t]*+(?:#[^\n]*+)?\n(?:[ \t]*+(?:#[^\n]*+)?\n)*+([ \t]++)(?=[^\s#])")
_FUTURE = re.compile(r"from[ \t\f\\\r\n]++__future__")
_QUOTES = ('"""', "'''")
_MAX_STEPS = 8
_BARE_WORD = re.compile(r"\s*+\w*+\s*+")
_MIN_CLASS_CHARS = 2_000
_MAX_HEADING_CHARS = 2_000

_VERDICTS = Verdicts()


@dataclass(frozen=True)
class _Blocks:
    """Text that is a row of blocks, and where each may begin."""

    text: str
    setting: Setting
    start: re.Pattern[str] = _START

    def bounds(self) -> list[int]:
        """The text's beginning, each statement that is not below a decorator, the text's end."""
        return [*self._starts(), len(self.text)]

    def _starts(self) -> Iterator[int]:
        yield 0
        is_decorated = self.text.lstrip(" \t").startswith("@")
        for match in self.start.finditer(self.text):
            if not is_decorated:
                yield match.start() + 1
            is_decorated = match[0].endswith("@")


def compiles_in_blocks(text: str) -> bool:
    """Whether the text compiles: the compiler's answer, at the price of the blocks not seen before."""
    blocks = _behind_future(text) if len(text) <= MAX_CHARS else None
    verdict = _read(blocks)[0] if blocks else Verdict.SHARED
    if verdict is Verdict.SHARED:
        return compile_error(text) is None
    return verdict is Verdict.WHOLE


def without_whole_blocks(text: str) -> str:
    """A shorter text that can be continued in the same ways: leading blocks that compile are left out."""
    blocks = _behind_future(text) if len(text) <= MAX_CHARS else None
    if blocks is None or blocks.setting.flags not in (0, FUTURE_ANNOTATIONS):
        return text
    tail = _last_blocks(blocks)
    if tail is None:
        return text
    members = _members(tail, blocks.setting)
    inner = _last_blocks(members) if members else None
    if members and inner is not None:
        tail = members.setting.heading + inner
    return "from __future__ import annotations\n" * bool(blocks.setting.flags) + tail


def _behind_future(text: str) -> _Blocks | None:
    """The blocks behind the last `from __future__`; None where these imports are not all that matters."""
    *_, last = (None, *_FUTURE.finditer(text))
    if last is None:
        return _Blocks(text, Setting())
    line_end = text.find("\n", last.end())
    following = _START.search(text, line_end) if line_end >= 0 else None
    if following is None:
        return None
    start = following.start() + 1
    verdict, flags = _VERDICTS.with_flags(text[:start], Setting())
    return _Blocks(text[start:], Setting(flags)) if verdict is Verdict.WHOLE else None


def _read(blocks: _Blocks) -> tuple[Verdict, int]:
    """The verdict on all blocks together, and where the first block begins that is not whole."""
    text, bounds = blocks.text, blocks.bounds()
    first, opened, last = 0, 0, 1  # from bound to bound; to `opened` the text was open
    while first < len(bounds) - 1:
        verdict = _read_parts(text[bounds[first] : bounds[last]], blocks.setting)
        if verdict is Verdict.SHARED:
            last = _first_end(blocks, bounds, first, opened, last)
            verdict = _read_block(text[bounds[first] : bounds[last]], blocks.setting)
        if verdict is Verdict.OPEN and last < len(bounds) - 1:
            opened, last = last, _next_end(text, bounds, first, last)
        elif verdict is Verdict.WHOLE:
            first, opened, last = last, last, last + 1
        else:
            return verdict, bounds[first]
    return Verdict.WHOLE, len(text)


def _next_end(text: str, bounds: list[int], first: int, last: int) -> int:
    """Where the text from `first` may end that is open at `last`: behind a long string, or twice as far.

    Twice as far, so that a string of a thousand lines is not read a thousand times.
    """
    start, end = bounds[first], bounds[last]
    for quote in _QUOTES if last - first <= _MAX_STEPS else ():
        if text.count(quote, start, end) % 2 and (closing := text.find(quote, end)) >= 0:
            return bisect_right(bounds, closing)
    return min(2 * last - first, len(bounds) - 1)


def _first_end(blocks: _Blocks, bounds: list[int], first: int, opened: int, last: int) -> int:
    """Where the text from `first` is no longer open, as it is not at `last`, but is one bound before.

    A class may have ended in between.
    """
    while last - opened > 1:
        middle = (opened + last) // 2
        verdict = _read_parts(blocks.text[bounds[first] : bounds[middle]], blocks.setting)
        opened, last = (middle, last) if verdict is Verdict.OPEN else (opened, middle)
    return last


def _read_block(text: str, setting: Setting) -> Verdict:
    verdict = _read_parts(text, setting)
    return _VERDICTS.of(text, setting) if verdict is Verdict.SHARED else verdict


def _read_parts(text: str, setting: Setting) -> Verdict:
    """What the members of a long class tell; of any other block, what the compiler says."""
    members = _members(text, setting)
    return _read(members)[0] if members else _VERDICTS.of(text, setting)


def _members(text: str, setting: Setting) -> _Blocks | None:
    """What stands in a long class as blocks of their own; None for any other block."""
    is_class = text.startswith(("class", "@")) and not setting.heading
    if not is_class or len(text) < _MIN_CLASS_CHARS:
        return None
    body = _CLASS_BODY.search(text, 0, _MAX_HEADING_CHARS)
    if body is None:
        return None
    heading, indent = text[: body.start(1)], body[1]
    headings = [heading]
    if "\r" not in heading:
        # Without its comments: whoever edits one has not changed the members.
        headings.append(text[: body.start()] + ":\n")
    settings = [Setting(setting.flags, each) for each in headings]
    probe = f"{indent}class _: pass\n"
    if any(_VERDICTS.of(probe, inside) is not Verdict.WHOLE for inside in settings):
        return None
    start = re.compile(rf"\n{indent}(?:{_CLAUSES}[^\W\d]|@)")
    return _Blocks(text[body.start(1) :], settings[-1], start)


def _last_blocks(blocks: _Blocks) -> str | None:
    """What stands behind the blocks that compile; None where the blocks do not tell.

    The last block stays, with the one before where a word might still become a clause of it (`el` → `else`).
    """
    text, bounds = blocks.text, blocks.bounds()
    num_kept = 2 if _BARE_WORD.fullmatch(text, bounds[-2]) else 1
    end = bounds[max(0, len(bounds) - 1 - num_kept)]
    if not end:
        return text
    verdict, whole = _read(_Blocks(text[:end], blocks.setting, blocks.start))
    return None if verdict is Verdict.SHARED else text[whole:]
