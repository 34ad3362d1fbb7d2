"""Injected bugs: one-token faults put into right code, so that there is something to learn finding.

Only faults that a parser cannot see: the file stays valid, and means something else wherever that
can be told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nested_ray.bugs.candidates import find_slots
from nested_ray.bugs.reading import ASSIGNING, CodeReading, read_code
from nested_ray.bugs.slots import KINDS, Slot, SlotKind
from nested_ray.languages.base import Language

MAX_TRIES = 20
"""Slots tried per bug before a file counts as having none of a kind."""


@dataclass(frozen=True)
class InjectedBug:
    """A slot whose content was replaced."""

    slot: Slot
    """In the text as it was."""
    option: int
    """What was put in, an index into the slot's options."""
    text: str
    """The whole file with the bug."""

    @property
    def kind(self) -> SlotKind:
        return self.slot.kind

    @property
    def right(self) -> str:
        """What stood there."""
        return self.slot.options[0]

    @property
    def wrong(self) -> str:
        return self.slot.options[self.option]


def inject(
    text: str,
    language: Language,
    *,
    seed: int,
    kinds: Sequence[SlotKind] = KINDS,
    per_kind: int = 1,
) -> Iterator[InjectedBug]:
    """Up to `per_kind` bugs of each kind, each in its own copy of the text; same arguments, same bugs."""
    code = read_code(text, language)
    slots = find_slots(code)
    rng = np.random.default_rng(seed_of(text, seed))
    for kind in kinds:
        yield from inject_into(code, [slot for slot in slots if slot.kind == kind], rng, per_kind)


def inject_into(
    code: CodeReading, slots: Sequence[Slot], rng: np.random.Generator, count: int
) -> Iterator[InjectedBug]:
    """Bugs in up to `count` different slots, drawn evenly."""
    made = 0
    for index in rng.permutation(len(slots))[: MAX_TRIES * count].tolist():
        if made == count:
            return
        slot = slots[index]
        option = draw_option(code, slot, rng)
        if option is not None and is_valid(code, slot, option):
            made += 1
            yield InjectedBug(slot, option, slot.replaced(code.text, option))


def draw_option(code: CodeReading, slot: Slot, rng: np.random.Generator) -> int | None:
    """A wrong option, drawn evenly; None when every one means the same as what stands there."""
    wrong = [
        option for option in range(1, len(slot.options)) if changes_meaning(code, slot, option)
    ]
    return int(rng.choice(wrong)) if wrong else None


def changes_meaning(code: CodeReading, slot: Slot, option: int) -> bool:
    """Whether the option is a bug as far as its neighbours tell."""
    at = slot.position
    if slot.kind == "name":
        return not was_copied(code, slot, option)
    if slot.kind == "operator" and code.words[at] in ("and", "or", "и", "или"):
        return code.word(at - 1) != code.word(at + 1)
    if slot.kind == "operator" and code.words[at] in ("+", "-", "+=", "-="):
        return code.word(at + 1) not in ("0", "0.0")
    return True


def was_copied(code: CodeReading, slot: Slot, option: int) -> bool:
    """Whether one of the names was last set to the other, `end = start`, so that both hold the same."""
    names = {code.words[slot.position], code.language.fold(slot.options[option])}
    first = max(slot.position - 60, 0)
    for at in range(slot.position - 2, first, -1):
        if code.words[at] in ASSIGNING and {code.word(at - 1), code.word(at + 1)} == names:
            return code.word(at) in ("=", ":=") and code.word(at + 2) != "."
    return False


def is_valid(code: CodeReading, slot: Slot, option: int) -> bool:
    """Whether the file with the bug parses."""
    span = slot.span
    return code.language.check_insert(
        code.text[: span.start], slot.options[option], code.text[span.end :]
    )


def seed_of(text: str, seed: int) -> int:
    """Files draw differently, and each always the same."""
    digest = hashlib.sha256(f"bugs\n{seed}\n{text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "little")
