"""What a nest learns for reviews after its levels: to find wrong words, and where code belongs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nested_ray.analyzers.architecture.placement import train_placement
from nested_ray.bugs.training import fit_judge, fit_models
from nested_ray.config.train import TrainConfig
from nested_ray.corpus.documents import Corpus
from nested_ray.files import write_json
from nested_ray.inference.bundle import PLACEMENT_FOLDER, REPORT_FILE, level_folder
from nested_ray.inference.loading import load_engine
from nested_ray.repository.base import SourceFile
from nested_ray.repository.index import open_repository
from nested_ray.train.reporter import Advance


def learn_reviews(
    config: TrainConfig, corpus: Corpus, nest_dir: Path, outlines: Path, advance: Advance
) -> None:
    """Write the classifiers into the nest directory and what they reached into its report.

    `outlines` is the folder where the run keeps what it has read of each file. A corpus that is too small for one of them goes without it. Doing it again gives the same files.
    """
    reached: dict[str, Any] = {"bugs": learn_bugs(config, corpus, nest_dir, advance)}
    if config.review.placement:
        reached["placement"] = learn_placement(corpus, nest_dir, outlines, advance)
    report = json.loads((nest_dir / REPORT_FILE).read_text(encoding="utf-8"))
    write_json(nest_dir / REPORT_FILE, {**report, "review": reached})


def learn_bugs(
    config: TrainConfig, corpus: Corpus, nest_dir: Path, advance: Advance
) -> dict[str, Any]:
    """One judge per level asked for, around models that all share; their calibration by level name."""
    names = config.review.levels or tuple(
        level.name for level in config.levels if level.kind == "semantics"
    )
    if not names:
        return {}
    models = fit_models(
        list(corpus.split("train")), config.review, seed=config.seed, advance=advance
    )
    reached: dict[str, Any] = {}
    for name in names if models else ():
        judge = fit_judge(
            load_engine(nest_dir, name),
            models,
            list(corpus.split("validation")),
            config.review,
            seed=config.seed,
            advance=advance,
        )
        if judge is not None:
            judge.save(level_folder(nest_dir, name))
            reached[name] = asdict(judge.calibrated)
    return reached


def learn_placement(
    corpus: Corpus, nest_dir: Path, outlines: Path, advance: Advance
) -> dict[str, Any] | None:
    """Learn the layout of the largest source; None where it has no packages to tell apart."""
    whole = [document for document in corpus.documents if document.cut_from is None]
    if not whole:
        return None
    advance(0, None, "learning where code belongs")
    ((source, _),) = Counter(document.source for document in whole).most_common(1)
    files = [
        SourceFile(document.path, document.language, document.text)
        for document in whole
        if document.source == source
    ]
    # Empty files teach a level nothing and are refused, but they make a folder a package.
    files += [
        SourceFile(refused.path, "python", "")
        for refused in corpus.rejections
        if refused.source == source and refused.path.endswith("__init__.py")
    ]
    model = train_placement(open_repository(files, cache_dir=outlines))
    if model is None:
        return None
    model.save(nest_dir / PLACEMENT_FOLDER)
    return {"source": source, "places": len(model.places)}
