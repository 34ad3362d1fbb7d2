"""Neighbours: the words around a slot, as contexts that can be counted over a whole corpus.

A context ("the argument `width` of `resize`", "before `.append`") is paired with what an option puts
into it (its name, its last word). Names stand for their last word: `old_path` and `new_path` are
both paths to whatever stands beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nested_ray.bugs.reading import CodeReading, name_parts
from nested_ray.bugs.slots import Slot
from nested_ray.languages.base import TokenKind

Parameters = Mapping[int, Sequence[str]]
"""Parameter names of the function called, by the position of the call's opening bracket."""

MAX_CONTEXTS = 20


class Neighbours:
    """Contexts of one file's slots."""

    def __init__(self, code: CodeReading) -> None:
        self._code = code

    def pairs(self, slot: Slot, option: int) -> list[tuple[str, str]]:
        """Context and filler of every hashed feature of an option; the same contexts for all options."""
        if slot.kind == "arguments":
            return self._arguments(slot, option)
        if slot.kind == "name":
            return self._name(slot, slot.options[option])
        return self._word(slot, slot.options[option])

    def shape(self, position: int) -> str:
        """A name's last word; any other token itself."""
        word = self._code.word(position)
        if not word or self._code.tokens[position].kind is not TokenKind.NAME:
            return word[:16]
        return name_parts(self._code.spelling(position))[-1]

    def callee(self, position: int) -> str:
        """The function whose argument the token belongs to, and the argument's number."""
        opening, number = self._code.brackets[position]
        if opening < 1:
            return ""
        return f"{self._code.words[opening - 1][:40]}{self._code.words[opening]}{number}"

    def head(self, position: int) -> str:
        """The keyword that opens the statement."""
        start = self._code.statements[position]
        is_keyword = self._code.tokens[start].kind is TokenKind.KEYWORD
        return self._code.words[start] if is_keyword else ""

    def target(self, position: int) -> str:
        """What the statement assigns to; empty before its operator and where it assigns nothing."""
        assigning = self._code.assignments.get(self._code.statements[position])
        if assigning is None or assigning >= position:
            return ""
        return self.shape(assigning - 1)

    def target_name(self, position: int) -> str:
        """The whole name that the statement assigns to: `width` of `self.width`."""
        assigning = self._code.assignments.get(self._code.statements[position])
        return self._code.word(assigning - 1) if assigning and assigning < position else ""

    def keyword(self, position: int) -> str:
        """The keyword argument, or the key in quotes, whose value begins here."""
        code = self._code
        if position < 2 or not code.depths[position]:
            return ""
        if code.words[position - 1] == "=":
            return code.words[position - 2]
        is_key = code.words[position - 1] in (":", ",") and code.words[position - 2] == '""'
        return code.language.fold(code.spelling(position - 2).strip("'\"")[:40]) if is_key else ""

    def _name(self, slot: Slot, name: str) -> list[tuple[str, str]]:
        at = slot.position
        left, right = self.shape(at - 1), self.shape(at + 1)
        contexts = (
            f"lr {left} {right}",
            f"ll {self.shape(at - 2)} {left}",
            f"rr {right} {self.shape(at + 2)}",
            f"call {self.callee(at)} {right}",
            f"target {self.target(at)} {left}",
            f"head {self.head(at)} {left}",
        )
        last = name_parts(name)[-1]
        return [(text, last) for text in contexts]

    def _word(self, slot: Slot, word: str) -> list[tuple[str, str]]:
        at = slot.position
        l1, l2, l3 = (self.shape(at - back) for back in (1, 2, 3))
        r1, r2, r3 = (self.shape(at + ahead) for ahead in (1, 2, 3))
        head, callee, target = self.head(at), self.callee(at), self.target(at)
        contexts = (
            f"l {l1}",
            f"r {r1}",
            f"lr {l1} {r1}",
            f"ll {l2} {l1}",
            f"rr {r1} {r2}",
            f"lrr {l1} {r1} {r2}",
            f"llr {l2} {l1} {r1}",
            f"llrr {l2} {l1} {r1} {r2}",
            f"lll {l3} {l2} {l1}",
            f"rrr {r1} {r2} {r3}",
            f"head {head}",
            f"head r {head} {r1}",
            f"head l {head} {l1}",
            f"head lr {head} {l1} {r1}",
            f"call {callee}",
            f"call r {callee} {r1}",
            f"target {target}",
            f"target l {target} {l1}",
            f"body {head} {self.body(at)}",
            f"body r {r1} {self.body(at)}",
        )
        folded = self._code.language.fold(word)
        return [(text, folded) for text in contexts]

    def body(self, position: int) -> str:
        """First words of the next statement: what a condition leads to."""
        code, start = self._code, self._code.statements[position]
        at = position
        while at < len(code.words) and code.statements[at] == start and at < position + 60:
            at += 1
        return f"{self.shape(at)} {self.shape(at + 1)}"

    def _arguments(self, slot: Slot, option: int) -> list[tuple[str, str]]:
        opening, number = self._code.brackets[slot.position]
        callee = self._code.word(opening - 1)[:40]
        order = slot.parts if option == 0 else slot.parts[::-1]
        pairs: list[tuple[str, str]] = []
        kinds = []
        for place, (start, end) in enumerate(order, number):
            last, whole = self.shape(end - 1), " ".join(self._code.words[start:end])
            kind = self._code.tokens[start].kind.value
            kinds.append(kind)
            pairs += [
                (f"arg {callee} {place}", last),
                (f"arg w {callee} {place}", whole),
                (f"arg k {callee} {place}", kind),
                (f"place {place - number}", last),
                (f"place w {place - number}", whole),
            ]
        first, second = pairs[0][1], pairs[5][1]
        pairs += [
            ("order", f"{first} {second}"),
            ("order k", " ".join(kinds)),
            (f"order {callee}", f"{first} {second}"),
            (f"order k {callee} {number}", " ".join(kinds)),
        ]
        return pairs
