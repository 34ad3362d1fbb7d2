"""From a nest directory and held-out code to fitted weights, thresholds and the closing table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nested_ray.config.train import EvaluationConfig
from nested_ray.errors import NoUsableFiles
from nested_ray.evals.calibration import Outcomes, calibrate
from nested_ray.evals.compare import Pair, edit_similarity, improves_lines, is_exact
from nested_ray.evals.fit import fit_nest, join, observe
from nested_ray.evals.forced import read_window
from nested_ray.evals.heldout import Advance, Heldout, map_threads
from nested_ray.evals.lines import Lines, WrittenLine, line_batches, write_batch, write_variants
from nested_ray.evals.predictors import NestMixing, Predictors
from nested_ray.evals.report import MEMORY, Calibration, EvalReport, Predictor, PredictorRow, Scores
from nested_ray.evals.suffix import compare_suffix
from nested_ray.evals.suffix import num_lines as num_suffix_lines
from nested_ray.evals.tokens import TokenScores, score_tokens
from nested_ray.files import write_json
from nested_ray.inference.bundle import REPORT_FILE, read_spec, write_spec


def evaluate(
    nest_dir: str | Path,
    validation: Heldout,
    test: Heldout,
    config: EvaluationConfig,
    advance: Advance | None = None,
) -> EvalReport:
    """Fit on the validation split, measure on the test split, and write both into the directory.

    Writes `memory/mixing.json`, `levels/<name>/mixing.json`, into `nest.json` the levels' confidence
    thresholds and which of them are shown the text behind the cursor, and `report.json`. Doing it again gives the same files.
    Raises NoUsableFiles when a split has no windows.
    """
    nest_dir = Path(nest_dir)
    spec = read_spec(nest_dir)
    total = num_steps(validation, config) + num_steps(test, config)
    steps = Steps(advance, total + num_suffix_lines(validation, config))
    predictors = Predictors.load(nest_dir, spec)
    predictors = predictors.mixed_by(fit_weights(predictors, validation, config, steps))
    predictors, written = check_lines(predictors, validation, config, steps)
    calibrations = calibrate_levels(predictors, validation, written)
    suffix = compare_suffix(
        predictors,
        validation,
        config,
        lambda count: steps.add(count, "writing lines before what stands behind them"),
    )
    report = replace(measure(predictors, test, config, calibrations, steps), suffix=suffix)
    predictors.fitted.write(nest_dir)
    thresholds = {name: found.threshold for name, found in calibrations.items()}
    reads_suffix = {name: use.helps for name, use in suffix.items()}
    write_spec(nest_dir, spec.with_findings(thresholds, reads_suffix))
    write_json(nest_dir / REPORT_FILE, report.to_dict())
    return report


class Steps:
    """Counts what is done over all parts of an evaluation."""

    def __init__(self, advance: Advance | None, total: int):
        self._advance = advance
        self._total = total
        self._done = 0

    def add(self, count: int, detail: str) -> None:
        self._done += count
        if self._advance is not None:
            self._advance(self._done, self._total, detail)


def num_steps(heldout: Heldout, config: EvaluationConfig) -> int:
    num_windows = len(heldout.sample_windows(config.max_windows))
    if num_windows == 0:
        raise NoUsableFiles("a held-out split has no code to evaluate on; add files to the corpus")
    return num_windows + len(heldout.lines[: config.max_lines])


def fit_weights(
    predictors: Predictors, validation: Heldout, config: EvaluationConfig, steps: Steps
) -> NestMixing:
    """Weights that the validation windows support."""
    windows = list(
        map_threads(
            lambda row: observe(read_window(predictors, validation, row)),
            validation.sample_windows(config.max_windows),
            lambda _: steps.add(1, "fitting the weight of memory"),
        )
    )
    return fit_nest(
        {name: join([window[name] for window in windows]) for name in predictors.engines}
    )


def check_lines(
    bold: Predictors, validation: Heldout, config: EvaluationConfig, steps: Steps
) -> tuple[Predictors, Lines]:
    """Levels that do not improve memory's lines of the validation split choose as memory does.

    Gives the predictors, and what they write of the validation split.
    """
    cautious = bold.mixed_by(bold.fitted.choosing_as_memory(bold.engines))
    batches = list(
        map_threads(
            lambda batch: write_variants(bold, cautious, batch, config.max_line_tokens),
            line_batches(validation, config.max_lines),
            lambda batch: steps.add(len(batch), "writing validation lines"),
        )
    )
    bold_lines = join_lines(lines for lines, _ in batches)
    cautious_lines = join_lines(lines for _, lines in batches)
    from_memory = pairs(bold_lines[MEMORY, True], validation)
    useless = [
        name
        for name in bold.engines
        if not improves_lines(pairs(bold_lines[name, True], validation), from_memory)
    ]
    kept = {(name, True): cautious_lines[name, True] for name in useless}
    return bold.mixed_by(bold.fitted.choosing_as_memory(useless)), bold_lines | kept


def calibrate_levels(
    predictors: Predictors, validation: Heldout, written: Lines
) -> dict[str, Calibration]:
    """Confidence thresholds of the levels with memory."""
    outcomes = [
        outcomes_of(written[name, True], pairs(written[name, True], validation))
        for name in predictors.engines
    ]
    return dict(zip(predictors.engines, calibrate(outcomes), strict=True))


def outcomes_of(lines: Sequence[WrittenLine], written: Sequence[Pair]) -> Outcomes:
    return Outcomes(
        confidence_N=np.array([line.confidence for line in lines]),
        similarity_N=np.array([edit_similarity(*pair) for pair in written]),
        exact_N=np.array([is_exact(*pair) for pair in written], dtype=bool),
    )


def measure(
    predictors: Predictors,
    test: Heldout,
    config: EvaluationConfig,
    calibrations: dict[str, Calibration],
    steps: Steps,
) -> EvalReport:
    """The closing table."""
    tokens = measure_tokens(predictors, test, config, steps)
    lines = write_lines(predictors, test, config, steps)
    rows = tuple(
        PredictorRow(*predictor, scores_of(found, pairs(lines[predictor], test)))
        for predictor, found in tokens.items()
    )
    totals = next(iter(tokens.values()))
    return EvalReport(
        rows=rows,
        calibrations=calibrations,
        num_tokens=totals.num_tokens,
        num_bytes=totals.num_bytes,
        num_lines=len(test.lines[: config.max_lines]),
        seed=test.seed,
    )


def measure_tokens(
    predictors: Predictors, test: Heldout, config: EvaluationConfig, steps: Steps
) -> dict[Predictor, TokenScores]:
    """Sums over the windows, by predictor."""
    totals: dict[Predictor, TokenScores] = {}
    for found in map_threads(
        lambda row: score_tokens(read_window(predictors, test, row), predictors),
        test.sample_windows(config.max_windows),
        lambda _: steps.add(1, "predicting held-out tokens"),
    ):
        for predictor, scores in found.items():
            totals[predictor] = totals.get(predictor, TokenScores()) + scores
    return totals


def write_lines(
    predictors: Predictors, heldout: Heldout, config: EvaluationConfig, steps: Steps
) -> Lines:
    """Every predictor's line for every task, in the order of the tasks."""
    return join_lines(
        map_threads(
            lambda batch: write_batch(predictors, batch, config.max_line_tokens),
            line_batches(heldout, config.max_lines),
            lambda batch: steps.add(len(batch), "writing held-out lines"),
        )
    )


def join_lines(batches: Iterable[Lines]) -> Lines:
    """The lines of several batches as one, by predictor; none where there were no tasks."""
    lines: Lines = defaultdict(list)
    for batch in batches:
        for predictor, written in batch.items():
            lines[predictor] += written
    return lines


def pairs(lines: Sequence[WrittenLine], heldout: Heldout) -> list[Pair]:
    """What was written and what stands there."""
    return [(line.text, task.line) for line, task in zip(lines, heldout.lines, strict=False)]


def scores_of(found: TokenScores, written: Sequence[Pair]) -> Scores:
    num_lines = max(len(written), 1)
    return Scores(
        bits_per_byte=found.bits_per_byte,
        token_accuracy=found.accuracy,
        line_exact_match=sum(is_exact(*pair) for pair in written) / num_lines,
        line_edit_similarity=sum(edit_similarity(*pair) for pair in written) / num_lines,
    )
