"""Two texts → the edits between them."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from nested_ray.analyzers.findings import Edit
from nested_ray.languages.base import Span

_PIECE = re.compile(r"\w+|\s|[^\w\s]")
_MAX_PIECES = 2_000


def edits_between(before: str, after: str, shift: int) -> tuple[Edit, ...]:
    """The edits that make one text of the other, by whole words, moved right by `shift`."""
    num_same = num_equal(before, after)
    rest_before, rest_after = before[num_same:], after[num_same:]
    num_same_end = num_equal(rest_before[::-1], rest_after[::-1])
    rest_before = rest_before[: len(rest_before) - num_same_end]
    rest_after = rest_after[: len(rest_after) - num_same_end]
    old, new = _PIECE.findall(rest_before), _PIECE.findall(rest_after)
    if len(old) + len(new) > _MAX_PIECES:
        start = num_same + shift
        return (Edit(Span(start, start + len(rest_before)), rest_after),)
    offsets = [num_same + shift]
    for piece in old:
        offsets.append(offsets[-1] + len(piece))
    return tuple(
        Edit(Span(offsets[a], offsets[b]), "".join(new[c:d]))
        for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if tag != "equal"
    )


def num_equal(one: str, other: str) -> int:
    """Characters that two texts have in common at their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
