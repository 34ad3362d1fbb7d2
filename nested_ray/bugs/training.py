"""From a corpus and a level's engine to a Judge: rank, gate, compare, calibrate.

The ranker learns from the training split: what a file says of itself is not in memory. Whatever asks
the level or memory is fitted on the validation split, which neither has seen: one half decides how
much each signal weighs, the other half what the sum is worth.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import sched_getaffinity
from threading import local

import numpy as np

from nested_ray.bugs.calibration import Judged, calibrate, fit_weights
from nested_ray.bugs.features import SlotFeatures
from nested_ray.bugs.judge import (
    Judge,
    choose_alternative,
    comparison,
    likeliest_options,
)
from nested_ray.bugs.plans import MIN_SLOTS, Plan, fit_gates, plan, split_evenly
from nested_ray.bugs.ranker import Ranker, fit_ranker
from nested_ray.bugs.rescoring import MAX_ALTERNATIVES, Rescored, rescore
from nested_ray.bugs.samples import CodeDocument, Sample, read_files
from nested_ray.bugs.slots import KINDS, SlotKind
from nested_ray.config.review_training import ReviewTrainingConfig
from nested_ray.inference.torch_engine import TorchEngine

logger = logging.getLogger(__name__)

Advance = Callable[[int, int | None, str], None]
"""`advance(done, total, detail)`: how far the work is."""

MAX_SLOTS = 12_000
"""Slots of a kind that a ranker learns from; more take longer than they gain."""
EPOCHS = 3
MAX_THREADS = 4


def fit_rankers(
    documents: Sequence[CodeDocument], config: ReviewTrainingConfig, *, seed: int, advance: Advance
) -> dict[SlotKind, Ranker]:
    """One ranker per kind that has enough slots; they know no level and serve all of them."""
    files = list(
        read_files(
            shuffled(documents, seed),
            max_lines=config.max_ranker_lines,
            on_file=lambda path: advance(0, None, f"reading {path}"),
        )
    )
    rankers: dict[SlotKind, Ranker] = {}
    for number, kind in enumerate(KINDS):
        advance(number, len(KINDS), f"ranking {kind}s")
        parts = [file.features[kind] for file in files]
        features = SlotFeatures.join(parts) if parts else None
        if features is not None and len(features) >= MIN_SLOTS:
            rows = np.random.default_rng(seed).permutation(len(features))[:MAX_SLOTS]
            rankers[kind] = fit_ranker(features.take(rows), epochs=EPOCHS, seed=seed)
    return rankers


def fit_judge(
    engine: TorchEngine,
    rankers: Mapping[SlotKind, Ranker],
    validation: Sequence[CodeDocument],
    config: ReviewTrainingConfig,
    *,
    seed: int,
    advance: Advance,
) -> Judge | None:
    """A level's judge; None where the validation split has too little code to calibrate on."""
    files = list(
        read_files(
            shuffled(validation, seed),
            max_lines=config.max_calibration_lines,
            on_file=lambda path: advance(0, None, f"reading {path}"),
        )
    )
    halves = split_evenly(files)
    gates = fit_gates(halves[0], rankers, seed)
    plans = [plan(half, rankers, gates, config.max_rescored // 2, seed) for half in halves]
    if not all(plan.kinds for plan in plans):
        return None
    progress = Progress(advance, sum(plan.num_samples for plan in plans))
    first, second = (judge_samples(engine, plan, progress) for plan in plans)
    weights = fit_weights(first)
    kinds, calibrated = calibrate(second, weights, gates, config)
    return Judge({kind: rankers[kind] for kind in kinds}, kinds, calibrated) if kinds else None


def shuffled(documents: Sequence[CodeDocument], seed: int) -> list[CodeDocument]:
    order = np.random.default_rng(seed).permutation(len(documents))
    return [documents[index] for index in order.tolist()]


class Progress:
    """Counts what the level has read."""

    def __init__(self, advance: Advance, total: int) -> None:
        self._advance, self._total, self._done = advance, total, 0

    def add(self) -> None:
        self._done += 1
        self._advance(self._done, self._total, "reading right and wrong code")


def judge_samples(engine: TorchEngine, plan: Plan, progress: Progress) -> Judged:
    """What ranker, level and memory say of every sample of a plan."""
    own = local()

    def compare(sample: Sample) -> list[float] | None:
        if not hasattr(own, "engine"):
            mixing = engine.memory.mixing
            own.engine = engine.mixed_by(mixing) if mixing else engine  # one call at a time each
        options = likeliest_options(sample.log_probs_O, sample.option, MAX_ALTERNATIVES)
        rescored = rescore_as(own.engine, sample, options)
        if rescored is None:
            return None
        other = choose_alternative(sample.log_probs_O, rescored, sample.option)
        return comparison(sample.log_probs_O, rescored, sample.option, other)

    judged = Judged.empty(plan.num_lines)
    with ThreadPoolExecutor(min(MAX_THREADS, len(sched_getaffinity(0)))) as pool:
        for kind, part in plan.kinds.items():
            samples = [*part.clean, *part.bugs]
            for sample, values in zip(samples, pool.map(compare, samples), strict=True):
                progress.add()
                if values is not None:
                    judged.add(kind, sample.is_bug, values)
            judged.populations[kind] = (part.num_clean, part.gate_recall)
    return judged


def rescore_as(engine: TorchEngine, sample: Sample, options: list[int]) -> Rescored | None:
    return rescore(engine, sample.file.path, sample.file.code, sample.slot, options)
