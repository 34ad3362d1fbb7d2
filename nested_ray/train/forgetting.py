"""Old and new held-out code of a continued run, and what the run's report says about forgetting."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from nested_ray.config.train import TrainConfig
from nested_ray.corpus.documents import Corpus, Split
from nested_ray.datasets.lines import LineTask, sample_lines
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.evals.forgetting import measure_forgetting
from nested_ray.evals.heldout import Advance, Heldout
from nested_ray.files import write_json
from nested_ray.inference.bundle import REPORT_FILE
from nested_ray.train.continuing import Code, documents_of, first_old_row
from nested_ray.train.old_corpus import Joined
from nested_ray.train.prepare import Prepared


def heldout_parts(
    config: TrainConfig, prepared: Prepared, joined: Joined, split: Split
) -> dict[Code, Heldout]:
    """New and old code of a held-out split, each where it has windows."""
    first_old = first_old_row(config, prepared.corpus, prepared.datasets, joined, split)
    rows: dict[Code, range] = {
        "new": range(first_old),
        "old": range(first_old, prepared.datasets.num_windows[split]),
    }
    return {
        code: heldout_rows(
            config,
            prepared,
            split,
            chosen,
            part_lines(config, prepared.corpus, prepared.tokenizer, joined, split, code),
        )
        for code, chosen in rows.items()
        if chosen
    }


def heldout_of_both(config: TrainConfig, prepared: Prepared, joined: Joined) -> Heldout:
    """The validation split with as much old code as new, more where the new alone is too little.

    Weights and thresholds fitted on new code alone would suit it alone.
    """
    split: Split = "validation"
    total = prepared.datasets.num_windows[split]
    first_old = first_old_row(config, prepared.corpus, prepared.datasets, joined, split)
    num_old = max(first_old, config.evaluation.max_windows - first_old)
    spread = np.linspace(first_old, total - 1, min(num_old, total - first_old), dtype=int)
    new_lines, old_lines = (
        part_lines(config, prepared.corpus, prepared.tokenizer, joined, split, code)
        for code in ("new", "old")
    )
    lines = [line for line in chain(*zip_longest(new_lines, old_lines)) if line is not None]
    return heldout_rows(config, prepared, split, [*range(first_old), *spread.tolist()], lines)


def heldout_rows(
    config: TrainConfig,
    prepared: Prepared,
    split: Split,
    rows: Sequence[int],
    lines: Sequence[LineTask],
) -> Heldout:
    names = [level.name for level in config.levels]
    whole = Heldout.open(prepared.datasets, split, level_names=names, lines=lines, seed=config.seed)
    chosen = {name: dataset.select(rows) for name, dataset in whole.rows.items()}
    return replace(whole, rows=chosen)


def part_lines(
    config: TrainConfig,
    corpus: Corpus,
    tokenizer: NestTokenizer,
    joined: Joined,
    split: Split,
    code: Code,
) -> list[LineTask]:
    """Lines of new or old held-out documents."""
    skipped = len(documents_of(corpus, joined, split, "new")) if code == "old" else 0
    tasks = sample_lines(
        documents_of(corpus, joined, split, code),
        tokenizer,
        max_lines=config.evaluation.max_lines,
        seed=config.seed,
        max_line_tokens=config.evaluation.max_line_tokens,
    )
    return [replace(task, document=task.document + skipped) for task in tasks]


def note_forgetting(
    config: TrainConfig, prepared: Prepared, parent_dir: Path, nest_dir: Path, advance: Advance
) -> None:
    """Measure the evaluated nest beside its parent and write the outcome into its report."""
    joined = prepared.joined
    if joined is None:
        raise ValueError("only a run that goes on from another can have forgotten something")
    parts = heldout_parts(config, prepared, joined, "test")
    forgetting = measure_forgetting(parent_dir, nest_dir, parts, config.evaluation, advance)
    continual = {
        "parent": config.continual.parent,
        "replay": {
            "share": prepared.replay.share if prepared.replay else 0.0,
            "num_old_documents": joined.num_old,
            "origin": joined.origin,
        },
        "forgetting": forgetting.to_dict(),
    }
    path = nest_dir / REPORT_FILE
    report = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, {**report, "continual": continual})
