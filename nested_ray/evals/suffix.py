"""Whether a level is shown what stands behind the cursor: validation lines decide.

A level that has seen few windows rearranged for fill-in-the-middle, or started from a model that knew none, writes
worse lines with the suffix than without it, and ends a quarter of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nested_ray.config.train import EvaluationConfig
from nested_ray.datasets.lines import LineTask
from nested_ray.evals.compare import edit_similarity
from nested_ray.evals.heldout import Heldout, map_threads
from nested_ray.evals.lines import line_batches, read_prompts, write_lines
from nested_ray.evals.predictors import Predictors
from nested_ray.evals.report import SuffixUse
from nested_ray.inference.base import Prompt
from nested_ray.inference.torch_engine import TorchEngine

MAX_LINES = 64
"""Enough to see harm: both ways are compared on the same lines."""

Similarities = dict[str, tuple[float, float]]
"""Sums over lines by level name: suffix read, unread."""


def num_lines(heldout: Heldout, config: EvaluationConfig) -> int:
    """Lines that are written both ways."""
    return len(heldout.lines[: min(config.max_lines, MAX_LINES)])


def compare_suffix(
    predictors: Predictors,
    validation: Heldout,
    config: EvaluationConfig,
    advance: Callable[[int], None],
) -> dict[str, SuffixUse]:
    """Every level with memory, with and without the suffix, on the first lines of the split."""
    count = num_lines(validation, config)
    sums = {name: [0.0, 0.0] for name in predictors.engines}
    for found in map_threads(
        lambda batch: write_both_ways(predictors, batch, config.max_line_tokens),
        line_batches(validation, count),
        lambda batch: advance(len(batch)),
    ):
        for name, (read, unread) in found.items():
            sums[name][0] += read
            sums[name][1] += unread
    return {
        name: SuffixUse(read / max(count, 1), unread / max(count, 1))
        for name, (read, unread) in sums.items()
    }


def write_both_ways(
    predictors: Predictors, tasks: Sequence[LineTask], max_tokens: int
) -> Similarities:
    return {
        name: (
            total_similarity(engine.reading_suffix(True), tasks, max_tokens),
            total_similarity(engine.reading_suffix(False), tasks, max_tokens),
        )
        for name, engine in predictors.engines.items()
    }


def total_similarity(engine: TorchEngine, tasks: Sequence[LineTask], max_tokens: int) -> float:
    """Of the lines that the level writes with memory."""
    prompts = [
        Prompt(prefix=task.prefix, suffix=task.suffix, path=task.path, language=task.language)
        for task in tasks
    ]
    reading = read_prompts(engine, prompts, max_tokens)
    memories = [engine.memory.read(encoded) for encoded in reading.encoded]
    lines = write_lines(reading, memories, max_tokens)
    return sum(
        edit_similarity(line.text, task.line) for line, task in zip(lines, tasks, strict=True)
    )
