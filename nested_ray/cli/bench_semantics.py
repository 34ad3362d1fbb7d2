"""`nested-ray bench levels semantics`: injected bugs found, repaired, and alarms in right code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nested_ray.bugs.samples import CodeDocument
    from nested_ray.evals.bug_predictors import BugPredictor


def semantics(
    nest: Annotated[
        str | None, typer.Option(metavar="NEST[@REF]", help="A registered nest version.")
    ] = None,
    nest_dir: Annotated[
        Path | None, typer.Option(help="Or the directory of one, as a run leaves it.")
    ] = None,
    level: Annotated[str, typer.Option(help="Name of the level that is measured.")] = "semantics",
    corpus: Annotated[
        Path | None,
        typer.Option(
            help="Saved corpus (the folder `corpus` of a run) whose test split is used. "
            "[default: read the nest's sources again]",
            show_default=False,
        ),
    ] = None,
    max_lines: Annotated[
        int, typer.Option(min=100, help="Lines of held-out code at most.")
    ] = 6_000,
    bugs_per_file: Annotated[
        int, typer.Option(min=1, help="Bugs of each kind in each file at most.")
    ] = 4,
    memory: Annotated[
        bool, typer.Option(help="Measure memory alone too; it takes longest.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Which files and bugs are drawn.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the tables to this file.")] = None,
) -> None:
    """Injected bugs in held-out code: is the place found, is it repaired, at how many alarms.

    Variable misuse, wrong operators, wrong literals and swapped arguments are put one at a time into
    files of the test split. Beside the level stand memory alone, the frequency of words, and chance.
    """
    import json as jsonlib
    from contextlib import ExitStack

    from nested_ray.cli.progress import one_bar
    from nested_ray.evals.bug_report import render_markdown
    from nested_ray.evals.semantics import evaluate_bugs

    folder = find_nest(nest, nest_dir)
    documents = held_out(folder, corpus)
    with ExitStack() as stack:
        on_progress = stack.enter_context(one_bar())
        report = evaluate_bugs(
            build_predictors(folder, level, memory=memory),
            documents,
            max_lines=max_lines,
            bugs_per_file=bugs_per_file,
            seed=seed,
            advance=lambda done, total, detail: on_progress(detail, done, total or 0),
        )
    if json:
        text = jsonlib.dumps(report.to_dict(), ensure_ascii=False, indent=1)
    else:
        text = render_markdown(report)
    typer.echo(text)
    if out is not None:
        from nested_ray.files import write_text

        write_text(out, text + "\n")


def find_nest(nest: str | None, nest_dir: Path | None) -> Path:
    """The directory of the nest that was named one way or the other."""
    from nested_ray.cli.review_nest import fetch_nest
    from nested_ray.errors import ConfigError

    if (nest is None) == (nest_dir is None):
        raise ConfigError("name one nest: --nest NEST[@REF], or --nest-dir DIRECTORY")
    if nest_dir is not None:
        return nest_dir
    assert nest is not None
    return fetch_nest(nest)


def held_out(nest_dir: Path, corpus: Path | None) -> Sequence[CodeDocument]:
    """The test split: of a saved corpus, or of the sources in the nest's config, split by the same rule."""
    from nested_ray.config.train import TrainConfig
    from nested_ray.corpus.build import build_corpus
    from nested_ray.corpus.shards import load_corpus
    from nested_ray.errors import NoUsableFiles

    if corpus is not None:
        found = load_corpus(corpus)
    else:
        found = build_corpus(TrainConfig.from_yaml(nest_dir / "config.yaml").corpus)
    documents = list(found.split("test"))
    if not documents:
        raise NoUsableFiles("the test split holds no files; measure on a larger corpus")
    return documents


def build_predictors(nest_dir: Path, level: str, *, memory: bool) -> list[BugPredictor]:
    """The level's detector and its baselines."""
    from nested_ray.bugs import BugDetector
    from nested_ray.bugs.judge import Judge
    from nested_ray.evals.bug_predictors import (
        DetectorPredictor,
        FrequencyPredictor,
        MemoryPredictor,
        RandomPredictor,
    )
    from nested_ray.inference.bundle import level_folder
    from nested_ray.inference.loading import load_engine

    judge = Judge.load(level_folder(nest_dir, level))
    engine = load_engine(nest_dir, level)
    predictors: list[BugPredictor] = [DetectorPredictor(BugDetector(engine, judge), level)]
    if memory:
        predictors.append(MemoryPredictor(engine))
    return [*predictors, FrequencyPredictor(), RandomPredictor()]
