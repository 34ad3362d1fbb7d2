"""What finds injected bugs: a level's detector, and the baselines it has to beat."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nested_ray.bugs.detector import BugDetector
from nested_ray.bugs.inject import seed_of
from nested_ray.bugs.reading import CodeReading
from nested_ray.bugs.rescoring import following
from nested_ray.bugs.slots import Slot
from nested_ray.inference.sampling import log_probability
from nested_ray.inference.torch_engine import TorchEngine
from nested_ray.memory import MemoryState

UNREAD = 1_000.0
"""Below every confidence: a slot that the level did not read is ordered by its doubt alone."""
MAX_PREFIX_CHARS = 40_000


@dataclass(frozen=True)
class Verdict:
    """How suspicious a slot is, and what should stand there."""

    slot: Slot
    option: int
    score: float


class BugPredictor(Protocol):
    """Judges slots of a file; higher scores are more suspicious, within and between files."""

    name: str

    def judge(self, path: str, code: CodeReading, slots: Sequence[Slot]) -> list[Verdict]: ...


class DetectorPredictor:
    """The detector as reviews use it: ranker, level and memory, calibrated."""

    def __init__(self, detector: BugDetector, name: str) -> None:
        self.name = name
        self._detector = detector

    def judge(self, path: str, code: CodeReading, slots: Sequence[Slot]) -> list[Verdict]:
        return [
            Verdict(found.slot, found.option, found.confidence or found.suspicion - UNREAD)
            for found in self._detector.judge(path, code, slots)
        ]


class MemoryPredictor:
    """No model: how much likelier memory finds another option with what follows it."""

    name = "memory alone"

    def __init__(self, engine: TorchEngine) -> None:
        self._engine = engine

    def judge(self, path: str, code: CodeReading, slots: Sequence[Slot]) -> list[Verdict]:
        return [self._judge(code, slot) for slot in slots]

    def _judge(self, code: CodeReading, slot: Slot) -> Verdict:
        tokenizer, mixing = self._engine.tokenizer, self._engine.memory.mixing
        assert mixing is not None
        start = slot.span.start
        line_start = code.text.rfind("\n", 0, start) + 1
        before = code.text[max(line_start - MAX_PREFIX_CHARS, 0) : line_start]
        memory = MemoryState(self._engine.memory.index)
        memory.extend(tokenizer.encode_tail(before, 4 * len(before) + 1))
        after = following(code.text, slot.span.end)
        scores = [
            self._logprob(memory.fork(), code.text[line_start:start] + option + after)
            for option in slot.options
        ]
        best = max(range(1, len(scores)), key=lambda option: scores[option])
        return Verdict(slot, best, scores[best] - scores[0])

    def _logprob(self, memory: MemoryState, text: str) -> float:
        """Of a line and what follows it; every option's has the same beginning."""
        assert self._engine.memory.mixing is not None
        weights = self._engine.memory.mixing.probabilities.weights
        total = 0.0
        for token in self._engine.tokenizer.encode(text):
            recall = memory.recall()
            corpus, cache, _ = weights[recall.bucket]
            recalled = corpus * recall.corpus[token] + cache * recall.cache[token]
            total += log_probability(float(recalled / max(corpus + cache, 1e-12)))
            memory.append(token)
        return total


class FrequencyPredictor:
    """The option that the file has most often is right, and the rarer the other the worse."""

    name = "frequency"

    def judge(self, path: str, code: CodeReading, slots: Sequence[Slot]) -> list[Verdict]:
        counts = Counter(code.words)
        verdicts = []
        for slot in slots:
            ratios = [
                self._count(code, counts, slot, option) for option in range(len(slot.options))
            ]
            best = max(range(1, len(ratios)), key=lambda option: ratios[option])
            verdicts.append(Verdict(slot, best, ratios[best] - ratios[0]))
        return verdicts

    def _count(self, code: CodeReading, counts: Counter[str], slot: Slot, option: int) -> float:
        if slot.kind == "arguments":
            return 0.0
        own = option == 0
        return math.log1p(counts[code.language.fold(slot.options[option])] - own)


class RandomPredictor:
    """Any slot, any option: what the size of the question is worth."""

    name = "random"

    def judge(self, path: str, code: CodeReading, slots: Sequence[Slot]) -> list[Verdict]:
        rng = np.random.default_rng(seed_of(code.text, 1))
        return [
            Verdict(slot, int(rng.integers(1, len(slot.options))), float(rng.random()))
            for slot in slots
        ]
