"""The whole training run, from a config to a registered nest version."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nested_ray.config.train import TrainConfig
from nested_ray.corpus.documents import Split
from nested_ray.datasets.lines import LineTask, sample_lines
from nested_ray.evals.evaluate import evaluate
from nested_ray.evals.forgetting import Forgetting, render_forgetting
from nested_ray.evals.heldout import Heldout
from nested_ray.evals.report import EvalReport, render
from nested_ray.files import write_json
from nested_ray.inference.bundle import REPORT_FILE
from nested_ray.registry import Registry
from nested_ray.registry.records import NestVersion
from nested_ray.train.assemble import assemble_nest, nest_draft
from nested_ray.train.fit import fit_levels
from nested_ray.train.fit_report import fit_from_dict, fit_table, fit_to_dict, level_metrics
from nested_ray.train.fitted import FitReport
from nested_ray.train.forgetting import heldout_of_both, heldout_parts, note_forgetting
from nested_ray.train.journal import Journal
from nested_ray.train.parent import continued, fix_parent
from nested_ray.train.prepare import OUTLINES, Prepared, prepare
from nested_ray.train.progress import ProgressSnapshot
from nested_ray.train.reporter import Reporter
from nested_ray.train.review import learn_reviews
from nested_ray.train.run_report import write_report
from nested_ray.train.rundir import RunDir, open_run
from nested_ray.train.uploads import uploading

FIT_FILE = "fit.json"


@dataclass(frozen=True)
class RunResult:
    """What a finished run leaves behind."""

    version: NestVersion
    report: EvalReport
    fit: FitReport
    heldout_lines: tuple[LineTask, ...]
    """Lines of the test split, to try the served nest on."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "nest": self.version.nest,
            "version": self.version.version,
            "aliases": list(self.version.aliases),
            "run_id": self.version.run_id,
            "corpus_digest": self.version.corpus_digest,
            "report": self.report.to_dict(),
            "fit": fit_to_dict(self.fit),
        }


def run(
    config: TrainConfig,
    registry: Registry,
    *,
    home: Path,
    reporter: Reporter,
    solo: bool = False,
    fresh: bool = False,
) -> RunResult:
    """Train the levels side by side and register what they learned as one nest version.

    Ray must be initialised. An unfinished run of the same name and config goes on where it stood.
    """
    with closing(open_run(home, config, solo=solo, fresh=fresh)) as run_dir:
        reporter.note(f"run {run_dir.run_id}{' goes on' if run_dir.resumed else ''}")
        if run_dir.note:
            reporter.note(run_dir.note)
        given = config
        parent = fix_parent(config, run_dir.path, registry)
        if parent is not None:
            config = continued(config, parent)
            reporter.note(f"going on from {parent.label}")
        prepared = prepare(config, run_dir, reporter, registry, parent)
        with uploading(
            given,
            registry.artifacts,
            run_dir,
            learned_from=f"{prepared.datasets.root.name} {parent.label if parent else ''}".strip(),
            fresh=fresh,
            note=reporter.note,
        ):
            fit = train_levels(config, prepared, run_dir, reporter, solo=solo)
            parent_dir = registry.fetch(parent) if parent else None
            nest_dir, report = build_nest(config, prepared, fit, run_dir, reporter, parent_dir)
            version = publish(config, prepared, fit, nest_dir, registry, run_dir, reporter)
        run_dir.finish(version.version)
        return RunResult(version, report, fit, heldout_lines(config, prepared))


def train_levels(
    config: TrainConfig, prepared: Prepared, run_dir: RunDir, reporter: Reporter, *, solo: bool
) -> FitReport:
    """Three Ray Train runs at once; their report is kept, so that a finished training is not repeated."""
    kept = run_dir.path / FIT_FILE
    if kept.exists():
        return fit_from_dict(json.loads(kept.read_text(encoding="utf-8")))
    names = [level.name for level in config.levels]
    title = f"training {', '.join(names)} {'solo' if solo else 'together'}"
    with Journal(run_dir.path) as journal, reporter.stage(title):
        said: set[str] = set()

        def watch(snapshot: ProgressSnapshot) -> None:
            journal.note(snapshot)
            reporter.levels(snapshot)
            for note in (note for level in snapshot.values() for note in level.notes):
                if note not in said:
                    said.add(note)
                    reporter.note(note)

        fit = fit_prepared(config, prepared, run_dir.path, solo=solo, on_progress=watch)
    write_json(kept, fit_to_dict(fit))
    page = write_report(run_dir.path, config, fit)
    reporter.show(fit_table(fit))
    reporter.note(f"curves: {page}")
    return fit


def fit_prepared(
    config: TrainConfig,
    prepared: Prepared,
    folder: Path,
    *,
    solo: bool,
    on_progress: Callable[[ProgressSnapshot], None],
) -> FitReport:
    """The levels of the config, trained below the folder on what was prepared for all of them."""
    names = [level.name for level in config.levels]
    return fit_levels(
        config,
        datasets={name: prepared.datasets.root / "levels" / name / "train" for name in names},
        tokenizer_hash=prepared.tokenizer.hash,
        vocab_size=prepared.tokenizer.vocab_size,
        pad_id=prepared.tokenizer.pad,
        always_ids=prepared.tokenizer.decision_ids,
        start_models=prepared.start_models,
        replay=prepared.replay,
        run_dir=folder,
        tokenizer_file=prepared.tokenizer_file,
        solo=solo,
        on_progress=on_progress,
    )


def build_nest(
    config: TrainConfig,
    prepared: Prepared,
    fit: FitReport,
    run_dir: RunDir,
    reporter: Reporter,
    parent_dir: Path | None = None,
) -> tuple[Path, EvalReport]:
    """The nest directory with its mixing weights, thresholds, classifiers and report.

    With the directory of the nest it goes on from, the report says what it has forgotten.
    """

    def make(aside: Path) -> None:
        models = {name: level.model_dir for name, level in fit.levels.items()}
        assemble_nest(config, prepared, models, aside)
        with reporter.stage("evaluating on held-out code") as advance:
            evaluate(
                aside,
                heldout(config, prepared, "validation"),
                heldout(config, prepared, "test"),
                config.evaluation,
                advance,
            )
        if parent_dir is not None:
            with reporter.stage("measuring what was forgotten") as advance:
                note_forgetting(config, prepared, parent_dir, aside, advance)
        if config.review.enabled:
            with reporter.stage("learning to review") as advance:
                learn_reviews(config, prepared.corpus, aside, run_dir.path / OUTLINES, advance)

    nest_dir = run_dir.stage("nest", make)
    report = EvalReport.from_dict(json.loads((nest_dir / REPORT_FILE).read_text(encoding="utf-8")))
    reporter.show(render(report))
    if report.continual:
        forgetting = Forgetting.from_dict(report.continual["forgetting"])
        reporter.show(render_forgetting(forgetting))
    return nest_dir, report


def publish(
    config: TrainConfig,
    prepared: Prepared,
    fit: FitReport,
    nest_dir: Path,
    registry: Registry,
    run_dir: RunDir,
    reporter: Reporter,
) -> NestVersion:
    """Register the nest; publishing the same run again gives the same version."""
    draft = nest_draft(
        config,
        nest_dir,
        run_id=run_dir.unique_id,
        corpus_digest=prepared.corpus.digest,
        level_metrics={name: level_metrics(level) for name, level in fit.levels.items()},
    )
    with reporter.stage(f"registering nest {config.nest}"):
        version = registry.publish(draft)
    reporter.note(f"{version.label} ({', '.join(version.aliases) or 'no alias'})")
    return version


def heldout(config: TrainConfig, prepared: Prepared, split: Split) -> Heldout:
    """One held-out split as the evaluation wants it: rows per level, documents, lines.

    In a run that goes on from another: old and new validation code, new test code where there is some.
    """
    if prepared.joined is not None:
        if split == "validation":
            return heldout_of_both(config, prepared, prepared.joined)
        parts = heldout_parts(config, prepared, prepared.joined, split)
        if parts:
            return parts.get("new") or parts["old"]
    return Heldout.open(
        prepared.datasets,
        split,
        level_names=[level.name for level in config.levels],
        lines=heldout_lines(config, prepared, split),
        seed=config.seed,
    )


def heldout_lines(
    config: TrainConfig, prepared: Prepared, split: Split = "test"
) -> tuple[LineTask, ...]:
    """Lines of held-out documents to be predicted from everything above them."""
    return tuple(
        sample_lines(
            list(prepared.corpus.split(split)),
            prepared.tokenizer,
            max_lines=config.evaluation.max_lines,
            seed=config.seed,
            max_line_tokens=config.evaluation.max_line_tokens,
        )
    )
