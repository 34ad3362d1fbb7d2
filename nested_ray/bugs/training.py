"""From a corpus and a level's engine to a Judge: rank, weigh, ask the level, calibrate.

The ranker learns from the training split: what a file says of itself is not in memory. Whatever asks
the level or memory is fitted on the validation split, which neither has seen: one half decides what
each signal weighs, the other half sets the threshold and says what it lets through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import sched_getaffinity
from threading import local

import numpy as np

from nested_ray.bugs.calibration import (
    choose_threshold,
    fit_sigmoid,
    fit_signals,
    gate_of,
    prior_of,
    shares_over,
)
from nested_ray.bugs.doubt import KindModel, fit_kind
from nested_ray.bugs.features import SlotFeatures
from nested_ray.bugs.judge import (
    Calibrated,
    Judge,
    KindJudge,
    choose_alternative,
    likeliest_options,
    sigmoid,
    signal_values,
)
from nested_ray.bugs.plans import (
    GATE_PER_1000_LINES,
    MIN_SLOTS,
    Half,
    Plan,
    draw,
    read_half,
    split_evenly,
    thin,
)
from nested_ray.bugs.rescoring import MAX_ALTERNATIVES, NUM_SIGNALS, rescore
from nested_ray.bugs.samples import CodeDocument, Sample, read_files
from nested_ray.bugs.slots import KINDS, SlotKind
from nested_ray.config.review_training import ReviewTrainingConfig
from nested_ray.inference.torch_engine import TorchEngine

Advance = Callable[[int, int | None, str], None]
"""`advance(done, total, detail)`: how far the work is."""

MAX_SLOTS = 12_000
"""Slots of a kind that a ranker learns from; more take longer than they gain."""
EPOCHS = 3
MAX_THREADS = 4
MIN_LINES = 200
"""Of a half of the validation split: fewer say nothing about alarms in 1,000."""


def fit_models(
    documents: Sequence[CodeDocument], config: ReviewTrainingConfig, *, seed: int, advance: Advance
) -> dict[SlotKind, KindModel]:
    """One model per kind that has enough slots; they know no level and serve all of them."""
    files = list(
        read_files(
            shuffled(documents, seed),
            max_lines=config.max_ranker_lines,
            on_file=lambda path: advance(0, None, f"reading {path}"),
        )
    )
    models: dict[SlotKind, KindModel] = {}
    for number, kind in enumerate(KINDS):
        advance(number, len(KINDS), f"injecting bugs: {kind}")
        parts = [file.features[kind] for file in files]
        features = SlotFeatures.join(parts) if parts else None
        if features is not None and len(features) >= MIN_SLOTS:
            rows = np.random.default_rng(seed).permutation(len(features))[:MAX_SLOTS]
            models[kind] = fit_kind(features.take(rows), epochs=EPOCHS, seed=seed)
    return models


def fit_judge(
    engine: TorchEngine,
    models: Mapping[SlotKind, KindModel],
    validation: Sequence[CodeDocument],
    config: ReviewTrainingConfig,
    *,
    seed: int,
    advance: Advance,
) -> Judge | None:
    """A level's judge; None where the validation split has too little code to calibrate on."""
    rng = np.random.default_rng(seed)
    files = read_files(
        shuffled(validation, seed),
        max_lines=config.max_calibration_lines,
        on_file=lambda path: advance(0, None, f"reading {path}"),
    )
    first, second = (read_half(half, models, rng) for half in split_evenly(list(files)))
    kinds: list[SlotKind] = [kind for kind in first.kinds if kind in second.kinds]
    if not kinds or min(first.num_lines, second.num_lines) < MIN_LINES:
        return None
    judges = first_judges(first, kinds, config)
    plans = [plan(half, judges, config.max_rescored, rng) for half in (first, second)]
    reader = LevelReader(engine, advance, sum(len(p.clean) + len(p.bugs) for p in plans))
    judges = add_signals(judges, plans[0], reader)
    calibrated = calibrate(judges, plans[1], reader, config)
    return Judge({kind: models[kind] for kind in kinds}, judges, calibrated)


def shuffled(documents: Sequence[CodeDocument], seed: int) -> list[CodeDocument]:
    order = np.random.default_rng(seed).permutation(len(documents))
    return [documents[index] for index in order.tolist()]


def first_judges(
    half: Half, kinds: Sequence[SlotKind], config: ReviewTrainingConfig
) -> dict[SlotKind, KindJudge]:
    """Before anything is asked of the level."""
    return {
        kind: KindJudge(
            gate=gate_of(
                [sample.doubt for sample in half.clean[kind]],
                GATE_PER_1000_LINES[kind] * half.num_lines / 1000,
            ),
            signals=(0.0,) * NUM_SIGNALS,
            prior=prior_of(
                len(half.clean[kind]),
                half.num_lines,
                bugs_per_1000_lines=config.bugs_per_1000_lines,
                num_kinds=len(kinds),
            ),
        )
        for kind in kinds
    }


def prior_doubt(judges: Mapping[SlotKind, KindJudge], sample: Sample) -> float:
    """Log-odds that a sample is wrong before the level has read it."""
    return judges[sample.slot.kind].prior + sample.doubt


def plan(
    half: Half,
    judges: Mapping[SlotKind, KindJudge],
    max_samples: int,
    rng: np.random.Generator,
) -> Plan:
    """Samples over the gates: three of ten are right code of this half, two of ten its bugs."""
    clean: list[Sample] = []
    bugs: list[Sample] = []
    gate_recall: dict[SlotKind, float] = {}
    for kind, judge in judges.items():
        clean += [sample for sample in half.clean[kind] if sample.doubt >= judge.gate]
        over = [sample for sample in half.bugs[kind] if sample.doubt >= judge.gate]
        gate_recall[kind] = len(over) / len(half.bugs[kind])
        bugs += draw(over, max(max_samples // (5 * len(judges)), 4), rng)
    chosen = thin(clean, 3 * max_samples // 10, lambda s: prior_doubt(judges, s), rng)
    return Plan(chosen, bugs, gate_recall, half.num_lines)


class LevelReader:
    """Asks level and memory about samples, on several threads, and tells how far it is."""

    def __init__(self, engine: TorchEngine, advance: Advance, total: int) -> None:
        self._engine, self._advance, self._total = engine, advance, total
        self._done = 0
        self._own = local()

    def read(self, samples: Sequence[Sample]) -> list[list[float] | None]:
        """Signals of each sample's best alternative; None where the text is too dense."""
        found = []
        with ThreadPoolExecutor(min(MAX_THREADS, len(sched_getaffinity(0)))) as pool:
            for signals in pool.map(self._signals, samples):
                found.append(signals)
                self._done += 1
                self._advance(self._done, self._total, "reading right and wrong code")
        return found

    def _signals(self, sample: Sample) -> list[float] | None:
        if not hasattr(self._own, "engine"):
            mixing = self._engine.memory.mixing  # an engine makes one call at a time
            self._own.engine = self._engine.mixed_by(mixing) if mixing else self._engine
        options = likeliest_options(sample.log_probs_O, sample.option, MAX_ALTERNATIVES)
        rescored = rescore(
            self._own.engine, sample.file.path, sample.file.code, sample.slot, options
        )
        if rescored is None:
            return None
        other = choose_alternative(sample.log_probs_O, rescored, sample.option)
        return signal_values(rescored, sample.option, other)


def add_signals(
    judges: Mapping[SlotKind, KindJudge], plan: Plan, reader: LevelReader
) -> dict[SlotKind, KindJudge]:
    """The judges with weights for what level and memory say."""
    samples = [*(sample for sample, _ in plan.clean), *plan.bugs]
    read = [
        (sample, signals)
        for sample, signals in zip(samples, reader.read(samples), strict=True)
        if signals is not None
    ]
    is_bug_N = np.array([sample.is_bug for sample, _ in read], bool)
    if not is_bug_N.any() or is_bug_N.all():
        return dict(judges)
    weights = fit_signals(
        [sample.slot.kind for sample, _ in read],
        np.array([sample.doubt for sample, _ in read]),
        np.array([signals for _, signals in read]),
        is_bug_N,
    )
    return {
        kind: KindJudge(judge.gate, weights.get(kind, judge.signals), judge.prior)
        for kind, judge in judges.items()
    }


def calibrate(
    judges: Mapping[SlotKind, KindJudge],
    plan: Plan,
    reader: LevelReader,
    config: ReviewTrainingConfig,
) -> Calibrated:
    """Confidence and threshold on code that no weight was fitted on."""
    right = judged(judges, plan.clean, reader)
    num_of_kind: Counter[SlotKind] = Counter(sample.slot.kind for sample in plan.bugs)
    num_bugs = config.bugs_per_1000_lines * plan.num_lines / 1000 / len(judges)
    weight_of: dict[SlotKind, float] = {
        kind: num_bugs * plan.gate_recall[kind] / count for kind, count in num_of_kind.items()
    }
    wrong = judged(judges, [(s, weight_of[s.slot.kind]) for s in plan.bugs], reader)
    everything = [*right, *wrong]
    slope, shift = fit_sigmoid(
        [sample.slot.kind for sample, _, _ in everything],
        np.array([value for _, value, _ in everything]),
        np.array([weight for _, _, weight in everything]),
        np.array([sample.is_bug for sample, _, _ in everything], bool),
    )

    def confidence(sample: Sample, value: float) -> float:
        return sigmoid(slope * value + shift[sample.slot.kind])

    clean = [(confidence(sample, value), weight) for sample, value, weight in right]
    threshold = choose_threshold(clean, config.max_alarms_per_1000_lines * plan.num_lines / 1000)
    by_kind: dict[SlotKind, list[float]] = {kind: [] for kind in judges}
    for sample, value, _ in wrong:
        by_kind[sample.slot.kind].append(confidence(sample, value))
    alarms = sum(weight for value, weight in clean if value >= threshold)
    return Calibrated(
        bugs_per_1000_lines=config.bugs_per_1000_lines,
        slope=slope,
        shift={kind: shift.get(kind, 0.0) for kind in judges},
        threshold=threshold,
        alarms_per_1000_lines=round(alarms * 1000 / plan.num_lines, 4),
        recall=shares_over(threshold, by_kind, plan.gate_recall),
        num_lines=plan.num_lines,
    )


def judged(
    judges: Mapping[SlotKind, KindJudge],
    samples: Sequence[tuple[Sample, float]],
    reader: LevelReader,
) -> list[tuple[Sample, float, float]]:
    """Samples with their log-odds before calibration and their weights."""
    read = reader.read([sample for sample, _ in samples])
    return [
        (sample, judges[sample.slot.kind].log_odds(sample.doubt, signals), weight)
        for (sample, weight), signals in zip(samples, read, strict=True)
        if signals is not None
    ]
