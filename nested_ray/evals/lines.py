"""Held-out lines: what every predictor writes, greedily, after everything above the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nested_ray.datasets.lines import LineTask
from nested_ray.evals.heldout import Heldout
from nested_ray.evals.predictors import Predictors
from nested_ray.evals.report import ENSEMBLE, MEMORY, Predictor
from nested_ray.inference.base import Prompt, TokenLogprob
from nested_ray.inference.confidence import confidence
from nested_ray.inference.decoder import KeyValues
from nested_ray.inference.ensemble import choose_candidate
from nested_ray.inference.prompts import EncodedPrompt
from nested_ray.inference.scoring import probabilities
from nested_ray.inference.torch_engine import GREEDY, TorchEngine
from nested_ray.inference.writer import Draft, LevelMixing, Writer
from nested_ray.memory import MemoryState, MixingWeights

LINE_END = "\n"


@dataclass(frozen=True)
class WrittenLine:
    """What one predictor wrote."""

    text: str
    confidence: float


LINES_PER_BATCH = 16
"""Prompts a level reads at once: their keys and values stay in memory until all have judged."""

Lines = dict[Predictor, list[WrittenLine]]

WORTH_COPYING = 0.7
"""Finished lines leave the batch once so few others are left: the cache of those is copied."""


@dataclass(frozen=True)
class LevelReading:
    """One level after it has read a batch of prompts."""

    engine: TorchEngine
    encoded: Sequence[EncodedPrompt]
    cache: KeyValues
    logits_BV: Tensor


def line_batches(heldout: Heldout, max_lines: int) -> list[Sequence[LineTask]]:
    """The first lines of a split, as many as are written at once."""
    tasks = heldout.lines[:max_lines]
    return [tasks[at : at + LINES_PER_BATCH] for at in range(0, len(tasks), LINES_PER_BATCH)]


def write_batch(predictors: Predictors, tasks: Sequence[LineTask], max_tokens: int) -> Lines:
    """Every predictor's line for every task of a batch; each level reads each prompt once."""
    readings, memories = read_tasks(predictors, tasks, max_tokens)
    lines = write_with_memory(predictors, readings, memories, max_tokens)
    for name, reading in readings.items():
        lines[name, False] = write_lines(reading, None, max_tokens)
    weights = predictors.ensemble_weights
    for used in (None, memories):
        candidates = [lines[name, used is not None] for name in readings]
        chosen = choose_lines(readings, candidates, weights, used)
        lines[ENSEMBLE, used is not None] = chosen
    return lines


def write_variants(
    bold: Predictors, cautious: Predictors, tasks: Sequence[LineTask], max_tokens: int
) -> tuple[Lines, Lines]:
    """Lines of memory and of the levels with memory, for two sets of weights of the same levels.

    Levels that choose by the same weights in both write once.
    """
    readings, memories = read_tasks(cautious, tasks, max_tokens)
    cautious_lines = write_with_memory(cautious, readings, memories, max_tokens)
    bold_lines = dict(cautious_lines)
    for name, reading in readings.items():
        if not bold.level_mixing(name).chooses_like(cautious.level_mixing(name)):
            rewired = replace(reading, engine=bold.engines[name])
            bold_lines[name, True] = write_lines(rewired, memories, max_tokens)
    return bold_lines, cautious_lines


def read_tasks(
    predictors: Predictors, tasks: Sequence[LineTask], max_tokens: int
) -> tuple[dict[str, LevelReading], list[MemoryState]]:
    """Every level, and memory, after what stands above the lines."""
    prompts = [Prompt(prefix=task.prefix, path=task.path, language=task.language) for task in tasks]
    readings = {
        name: read_prompts(engine, prompts, max_tokens)
        for name, engine in predictors.engines.items()
    }
    # The text before the cursor is the same for all levels: memory reads it once.
    first = next(iter(readings.values()))
    memories = [first.engine.memory.read(encoded) for encoded in first.encoded]
    return readings, memories


def write_with_memory(
    predictors: Predictors,
    readings: Mapping[str, LevelReading],
    memories: Sequence[MemoryState],
    max_tokens: int,
) -> Lines:
    any_reading = next(iter(readings.values()))
    mixing = predictors.memory_mixing
    lines = {(MEMORY, True): write_from_memory(any_reading, memories, mixing, max_tokens)}
    for name, reading in readings.items():
        lines[name, True] = write_lines(reading, memories, max_tokens)
    return lines


def read_prompts(engine: TorchEngine, prompts: Sequence[Prompt], max_tokens: int) -> LevelReading:
    """Let one level read the prompts in one pass."""
    encoded = [engine.prompts.encode(prompt, max_tokens) for prompt in prompts]
    cache, logits_BV = engine.decoder.prefill([one.input_ids for one in encoded])
    return LevelReading(engine, encoded, cache, logits_BV)


def write_lines(
    reading: LevelReading, memories: Sequence[MemoryState] | None, max_tokens: int
) -> list[WrittenLine]:
    """One level's lines, all at once."""
    engine = reading.engine
    writers = [
        engine.writer(encoded, memories[row].fork() if memories else None)
        for row, encoded in enumerate(reading.encoded)
    ]
    lines = [LineDraft(writer, max_tokens) for writer in writers]
    rows = list(range(len(lines)))
    cache, logits_BV = reading.cache.select(rows), reading.logits_BV
    while True:
        for row, probs_V in zip(rows, probabilities(logits_BV), strict=True):
            if not lines[row].finished:
                lines[row].write(probs_V)
        going = [place for place, row in enumerate(rows) if not lines[row].finished]
        if not going:
            return [line.line() for line in lines]
        if len(going) <= WORTH_COPYING * len(rows):
            cache = cache.select(going)
            rows = [rows[place] for place in going]
        ids_B1 = torch.tensor([[lines[row].last_id] for row in rows])
        logits_BV = engine.decoder.extend(cache, ids_B1)[:, 0]


def write_from_memory(
    reading: LevelReading,
    memories: Sequence[MemoryState],
    mixing: MixingWeights,
    max_tokens: int,
) -> list[WrittenLine]:
    """Memory's own lines, without any level."""
    lines = []
    for encoded, memory in zip(reading.encoded, memories, strict=True):
        writer = Writer(
            reading.engine.vocabulary,
            GREEDY,
            memory=memory.fork(),
            mixing=LevelMixing(mixing),
            pending=encoded.pending,
        )
        line = LineDraft(writer, max_tokens)
        while not line.finished:
            line.write(None)
        lines.append(line.line())
    return lines


class LineDraft:
    """A line while it is written."""

    def __init__(self, writer: Writer, max_tokens: int):
        self._draft = Draft(writer, stop=(LINE_END,), max_tokens=max_tokens)
        self._tokens: list[TokenLogprob] = []

    @property
    def finished(self) -> bool:
        return self._draft.finish_reason is not None

    @property
    def last_id(self) -> int:
        return self._draft.last_id

    def write(self, level_probs_V) -> None:
        self._tokens += self._draft.write(level_probs_V).tokens

    def line(self) -> WrittenLine:
        text = "".join(token.text for token in self._tokens)
        return WrittenLine(text, confidence(self._tokens))


def choose_lines(
    readings: Mapping[str, LevelReading],
    candidates: Sequence[Sequence[WrittenLine]],
    weights: Mapping[str, float],
    memories: Sequence[MemoryState] | None,
) -> list[WrittenLine]:
    """The ensemble's line for every task, chosen as serving does it: each level scores each."""
    chosen = []
    for row, options in enumerate(zip(*candidates, strict=True)):
        texts = list(dict.fromkeys(line.text for line in options))  # levels often agree
        mean_logprobs = {
            name: score_row(reading, row, texts, memories[row] if memories else None)
            for name, reading in readings.items()
        }
        choice = choose_candidate(mean_logprobs, weights)
        chosen.append(WrittenLine(texts[choice.index], choice.scores[choice.index]))
    return chosen


def score_row(
    reading: LevelReading, row: int, texts: Sequence[str], memory: MemoryState | None
) -> list[float]:
    cache = reading.cache.select([row])
    encoded, logits_V = reading.encoded[row], reading.logits_BV[row]
    return reading.engine.score_from(encoded, cache, logits_V, texts, memory)
