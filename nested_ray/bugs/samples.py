"""Samples: slots of right code, each also read as if an injected bug stood in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nested_ray.bugs.candidates import find_slots
from nested_ray.bugs.doubt import KindModel
from nested_ray.bugs.features import SlotFeatures, slot_features
from nested_ray.bugs.inject import draw_option
from nested_ray.bugs.reading import CodeReading, read_code
from nested_ray.bugs.slots import KINDS, Slot, SlotKind
from nested_ray.languages import LANGUAGES


class CodeDocument(Protocol):
    """A file of a corpus."""

    @property
    def path(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def text(self) -> str: ...


_LANGUAGES = {language.name: language for language in LANGUAGES}


@dataclass(frozen=True)
class FileSlots:
    """One file with its slots and their features, by kind."""

    path: str
    code: CodeReading
    num_lines: int
    slots: Mapping[SlotKind, Sequence[Slot]]
    features: Mapping[SlotKind, SlotFeatures]


@dataclass(frozen=True)
class Sample:
    """One slot with an option taken as what stands there."""

    file: FileSlots
    slot: Slot
    log_probs_O: NDArray[np.float32]
    """The ranker's."""
    option: int
    """0: right code; any other: a bug whose right option is 0."""
    doubt: float
    """Log-odds that it is wrong, without a level and as if half of the slots were."""

    @property
    def is_bug(self) -> bool:
        return self.option != 0


def read_files(
    documents: Iterable[CodeDocument], *, max_lines: int, on_file: Callable[[str], None]
) -> Iterator[FileSlots]:
    """Files in order until they have `max_lines` together."""
    num_lines = 0
    for document in documents:
        if num_lines >= max_lines:
            return
        language = _LANGUAGES.get(document.language)
        if language is None:
            continue
        on_file(document.path)
        found = read_file(document.path, read_code(document.text, language))
        num_lines += found.num_lines
        yield found


def read_file(path: str, code: CodeReading) -> FileSlots:
    by_kind: dict[SlotKind, list[Slot]] = {kind: [] for kind in KINDS}
    for slot in find_slots(code):
        by_kind[slot.kind].append(slot)
    features: dict[SlotKind, SlotFeatures] = {
        kind: slot_features(code, slots) for kind, slots in by_kind.items()
    }
    return FileSlots(path, code, code.text.count("\n") + 1, by_kind, features)


def draw_samples(
    files: Sequence[FileSlots], kind: SlotKind, model: KindModel, rng: np.random.Generator
) -> tuple[list[Sample], list[Sample]]:
    """Every slot of a kind as right code, and as one bug that changes its meaning."""
    clean: list[Sample] = []
    bugs: list[Sample] = []
    for file in files:
        slots, features = file.slots[kind], file.features[kind]
        wrong = [draw_option(file.code, slot, rng) for slot in slots]
        wrong_S = np.array([option or 0 for option in wrong], np.int64)
        log_probs_SO = model.ranker.score(features)
        doubts = model.doubts(features, log_probs_SO), model.doubts(features, log_probs_SO, wrong_S)
        for row, slot in enumerate(slots):
            clean.append(Sample(file, slot, log_probs_SO[row], 0, float(doubts[0][row])))
            if wrong_S[row]:
                option = int(wrong_S[row])
                bugs.append(Sample(file, slot, log_probs_SO[row], option, float(doubts[1][row])))
    return clean, bugs
