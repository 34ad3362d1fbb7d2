"""Rescoring: a slot's likeliest options read by the level's model and by memory, with what follows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nested_ray.bugs.reading import CodeReading
from nested_ray.bugs.slots import Slot
from nested_ray.errors import PromptTooLong
from nested_ray.inference.base import Prompt
from nested_ray.inference.torch_engine import TorchEngine

# K options

NUM_SIGNALS = 4
"""Mixed, level and memory log-probability; log count between one word on either side."""
MAX_ALTERNATIVES = 3
MAX_PREFIX_CHARS = 40_000
"""Of a longer file the engine is given the nearest part."""
AFTER_CHARS = 40
"""How much of the text after the slot is read: the rest of the line and the next one at most."""
MAX_SNIPPET_CHARS = 400
"""A neighbour may be a string of a megabyte."""
LOWEST = -40.0


@dataclass(frozen=True)
class Rescored:
    """Signals of some options of one slot."""

    options: tuple[int, ...]
    signals: NDArray[np.float64]
    """(K, NUM_SIGNALS)"""
    counts: tuple[int, ...]
    """How often the corpus has each option between the same words."""

    def of(self, option: int) -> NDArray[np.float64]:
        return self.signals[self.options.index(option)]

    def count(self, option: int) -> int:
        return self.counts[self.options.index(option)]


def rescore(
    engine: TorchEngine, path: str, code: CodeReading, slot: Slot, options: Sequence[int]
) -> Rescored | None:
    """Signals of the options; None where the file is too dense for the engine."""
    start = max(slot.span.start - MAX_PREFIX_CHARS, 0)
    prompt = Prompt(
        prefix=code.text[start : slot.span.start], path=path, language=code.language.name
    )
    after = following(code.text, slot.span.end)
    try:
        scores = engine.token_logprobs(prompt, [slot.options[option] + after for option in options])
    except PromptTooLong:
        return None
    counts = [corpus_count(engine, between(code, slot, option)) for option in options]
    signals = [
        [max(found, LOWEST) for found in (score.mixed, score.level, score.memory)]
        + [math.log1p(count)]
        for score, count in zip(scores, counts, strict=True)
    ]
    return Rescored(tuple(options), np.array(signals), tuple(counts))


def following(text: str, end: int) -> str:
    """The rest of the line and the next one, cut at AFTER_CHARS."""
    line_end = text.find("\n", end)
    next_end = text.find("\n", line_end + 1) if line_end >= 0 else -1
    return text[end : min(next_end if next_end >= 0 else len(text), end + AFTER_CHARS)]


def between(code: CodeReading, slot: Slot, option: int) -> str:
    """The option with one code token on either side, and the blank before them."""
    last = slot.parts[1][1] - 1 if slot.parts else slot.position
    first_token = code.tokens[max(slot.position - 1, 0)]
    last_token = code.tokens[min(last + 1, len(code.tokens) - 1)]
    start = first_token.span.start
    start -= start > 0 and code.text[start - 1] == " "
    before, after = (
        code.text[start : slot.span.start],
        code.text[slot.span.end : last_token.span.end],
    )
    return before + slot.options[option] + after


def corpus_count(engine: TorchEngine, snippet: str) -> int:
    """How often the corpus of the nest holds a piece of text, cut into the same tokens."""
    index = engine.memory.index
    ids = engine.tokenizer.encode(snippet[-MAX_SNIPPET_CHARS:])[-index.max_order :]
    ranges = index.nowhere()
    for token in ids:
        ranges = index.advance(ranges, token)
    if not ids or len(ranges[0]) < len(ids):
        return 0
    return int(ranges[1][len(ids) - 1]) - int(ranges[0][len(ids) - 1])
