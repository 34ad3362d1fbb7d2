"""Evidence: what the file itself says for an option of a slot, as numbers."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter

from nested_ray.bugs.neighbours import Neighbours, Parameters
from nested_ray.bugs.reading import CodeReading, name_parts
from nested_ray.bugs.slots import Slot
from nested_ray.languages.base import TokenKind

NUM_VALUES = 32
FAR = 400
"""Tokens; further uses are equally far."""


class Evidence:
    """Counts over one file, each without the slot that is asked about."""

    def __init__(self, code: CodeReading, parameters: Parameters) -> None:
        self._code = code
        self._near = Neighbours(code)
        self._parameters = parameters
        self._num_writes = Counter(use.symbol for use in code.use_at.values() if use.is_write)
        words = code.words
        padded = ("", "", *words, "", "")
        self._before = Counter(zip(padded[1:], words, strict=False))
        self._after = Counter(zip(words, padded[3:], strict=False))
        self._between = Counter(zip(padded[1:], words, padded[3:], strict=False))
        self._before2 = Counter(zip(padded, padded[1:], words, strict=False))
        self._after2 = Counter(zip(words, padded[3:], padded[4:], strict=False))
        self._arguments = Counter(
            (words[opening - 1], number, words[position])
            for position, (opening, number) in enumerate(code.brackets)
            if opening > 0
            and words[opening] == "("
            and code.tokens[position].kind is TokenKind.NAME
        )

    def values(self, slot: Slot, option: int) -> list[float]:
        """At most NUM_VALUES numbers; the same meaning for all slots of a kind."""
        if slot.kind == "arguments":
            return self._of_arguments(slot, option)
        word = self._code.language.fold(slot.options[option])
        counts = self._sequences(slot.position, word, own=option == 0)
        if slot.kind == "name":
            return [*counts, *self._of_name(slot, option, word)]
        return counts

    def _sequences(self, at: int, word: str, *, own: bool) -> list[float]:
        """How often the word stands between the same neighbours elsewhere in the file."""
        get = self._code.word
        l2, l1, r1, r2 = get(at - 2), get(at - 1), get(at + 1), get(at + 2)
        counts = (
            self._before[l1, word],
            self._after[word, r1],
            self._between[l1, word, r1],
            self._before2[l2, l1, word],
            self._after2[word, r1, r2],
        )
        return [math.log1p(count - own) for count in counts]

    def _of_name(self, slot: Slot, option: int, word: str) -> list[float]:
        code, at = self._code, slot.position
        symbol = slot.symbols[option]
        positions = code.positions[symbol]
        index = bisect_left(positions, at)
        own = option == 0  # the slot itself is one of the positions of what stands there
        before = positions[index - 1] if index else -1
        after_index = index + own
        after = positions[after_index] if after_index < len(positions) else -1
        writes = self._num_writes[symbol]  # the slot itself is a read
        reads = len(positions) - writes - own
        is_fresh = before >= 0 and code.use_at[before].is_write
        bound = code.table.symbols[symbol]
        return [
            math.log1p(len(positions) - own),
            float(reads == 0),
            math.log1p(writes),
            float(bound.kind == "parameter"),
            _distance(at - before if before >= 0 else FAR),
            float(is_fresh),
            float(is_fresh and after < 0),
            _distance(after - at if after >= 0 else FAR),
            float(after < 0),
            float(before < 0),
            float(self._in_statement(positions, at, own)),
            float(self._beside(at, word)),
            float(before >= 0 and code.lines[at] - code.lines[before] == 1),
            float(before >= 0 and code.lines[at] == code.lines[before]),
            float(bound.scope == code.use_at[at].scope),
            float(before >= 0 and code.word(before - 1) in LOOPS),
            *self._meanings(at, word, slot.options[option]),
        ]

    def _in_statement(self, positions: list[int], at: int, own: bool) -> int:
        start = self._code.statements[at]
        first = bisect_left(positions, start)
        count = 0
        for position in positions[first : first + 8]:
            count += self._code.statements[position] == start
        return min(count - own, 3)

    def _beside(self, at: int, word: str) -> bool:
        """Whether the same name is the other operand or the next argument: `x - x`, `f(x, x)`."""
        code = self._code
        left = code.word(at - 2) == word and code.word(at - 1) != "."
        right = code.word(at + 2) == word and code.word(at + 1) != "."
        return left or right

    def _meanings(self, at: int, word: str, name: str) -> list[float]:
        """How far the name means what its surroundings ask for, by the words in it."""
        near, parts = self._near, set(name_parts(name))
        wanted = (near.target_name(at), near.keyword(at), self._parameter(at))
        values = []
        for text in wanted:
            asked = set(name_parts(text)) if text else set()
            values.append(float(bool(text) and self._code.language.fold(text) == word))
            values.append(len(parts & asked) / len(parts | asked) if asked else 0.0)
        around = [self._code.word(at + step) for step in (-4, -3, -2, 2, 3, 4)]
        shared = {part for other in around if other != word for part in name_parts(other or " ")}
        return [*values, len(parts & shared) / len(parts)]

    def _parameter(self, at: int, shift: int = 0) -> str:
        """The parameter that takes the argument; only of an argument that is the name alone."""
        code = self._code
        opening, number = code.brackets[at]
        if opening < 1 or code.words[opening] != "(":
            return ""
        known = self._parameters.get(opening) or code.parameters.get(code.words[opening - 1], ())
        number += shift
        return known[number] if number < len(known) else ""

    def _of_arguments(self, slot: Slot, option: int) -> list[float]:
        code = self._code
        opening, number = code.brackets[slot.position]
        callee = code.word(opening - 1)
        order = slot.parts if option == 0 else slot.parts[::-1]
        values: list[float] = []
        for shift, (_, end) in enumerate(order):
            word = code.words[end - 1]
            count = self._arguments[callee, number + shift, word] - (option == 0)
            parameter = self._parameter(slot.position, shift)
            parts, asked = set(name_parts(word)), set(name_parts(parameter)) if parameter else set()
            values += [
                math.log1p(max(count, 0)),
                float(bool(parameter) and parameter == word),
                len(parts & asked) / len(parts | asked) if asked else 0.0,
            ]
        return values


LOOPS = frozenset({"for", "для", "каждого", "each"})


def _distance(tokens: int) -> float:
    return math.log1p(min(tokens, FAR)) / 3
