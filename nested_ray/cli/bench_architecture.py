"""`nested-ray bench levels architecture`: places, planted faults, patterns, the whole repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nested_ray.evals.architecture import ArchitectureScores
    from nested_ray.evals.pattern_samples import PatternScore
    from nested_ray.evals.planting import OnProgress

SAMPLES = Path("tests/data/patterns")


def architecture(
    roots: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help="Code bases. [default: the standard library]"),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Planted faults of each kind.")] = 100,
    seed: Annotated[int, typer.Option(help="Which faults are planted.")] = 0,
    patterns: Annotated[
        Path, typer.Option(help="Folder of labelled samples of design patterns.")
    ] = SAMPLES,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole", help="Only time and memory of each code base, in a process of its own."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the tables to this file.")] = None,
) -> None:
    """Places recovered with the location hidden, planted faults found, patterns recognised, time and memory.

    The standard library is that of the running Python, without its tests.
    """
    import json as jsonlib

    from nested_ray.cli.progress import one_bar

    chosen = roots or [_standard_library()]
    if whole:
        values, text = _whole(chosen)
    else:
        with one_bar() as on_progress:
            values, text = _measured(chosen, patterns, count, seed, on_progress)
    text = jsonlib.dumps(values, ensure_ascii=False, indent=1) if json else text
    typer.echo(text)
    if out is not None:
        from nested_ray.files import write_text

        write_text(out, text + "\n")


def _standard_library() -> Path:
    import sysconfig

    return Path(sysconfig.get_path("stdlib"))


def _measured(
    roots: list[Path], patterns: Path, count: int, seed: int, on_progress: OnProgress
) -> tuple[dict[str, Any], str]:
    from dataclasses import asdict

    from nested_ray.evals.architecture import patterns_table, scores_table

    found = [_measure(root, count, seed, on_progress) for root in roots]
    by_half = _pattern_scores(patterns)
    tables = [scores_table(scores) for scores in found]
    tables += [patterns_table(title, scores) for title, scores in by_half.items()]
    values = {
        "repositories": [asdict(scores) for scores in found],
        "patterns": {title: [asdict(each) for each in scores] for title, scores in by_half.items()},
    }
    return values, "\n".join(tables)


def _measure(root: Path, count: int, seed: int, on_progress: OnProgress) -> ArchitectureScores:
    from nested_ray.cli.folders import cache_folder
    from nested_ray.errors import NoUsableFiles
    from nested_ray.evals.architecture import measure_architecture
    from nested_ray.repository.index import open_repository
    from nested_ray.repository.scan import scan

    found = scan(root, exclude=("test/", "tests/", "idlelib/", "lib2to3/tests/", "site-packages/"))
    if not found.files:
        raise NoUsableFiles(f"{root} holds no Python or 1C file")
    repository = open_repository(
        found.files,
        metadata=found.metadata,
        cache_dir=cache_folder(),
        on_progress=lambda done, total: on_progress("indexing", done, total),
    )
    return measure_architecture(
        repository, name=root.name, count=count, seed=seed, on_progress=on_progress
    )


def _pattern_scores(folder: Path) -> dict[str, list[PatternScore]]:
    """Scores by file of samples; none where the folder is not there."""
    from nested_ray.evals.pattern_samples import read_samples, score_patterns

    return {
        path.stem.replace("_", ", "): score_patterns(read_samples(path.read_text(encoding="utf-8")))
        for path in sorted(folder.glob("*.txt"))
    }


def _whole(roots: list[Path]) -> tuple[dict[str, Any], str]:
    from dataclasses import asdict

    from nested_ray.evals.whole_repository import measure_whole

    found = {root.name: measure_whole(root) for root in roots}
    rows = [
        f"| {name} | {w.num_files:,} | {w.num_bytes / 1e6:.1f} MB | {w.scan_s:.1f} s | {w.index_s:.1f} s "
        f"| {w.describe_s:.1f} s | **{w.total_s:.1f} s** | {w.cpu_s:.1f} s | {w.peak_mb:,.0f} MB | {w.worker_peak_mb:,.0f} MB |"
        for name, w in found.items()
    ]
    heading = (
        "| code base | files | text | scan | index | describe | total | of it CPU, all processes | peak memory | of a worker |\n"
        "|---|---|---|---|---|---|---|---|---|---|"
    )
    return {name: asdict(w) for name, w in found.items()}, "\n".join([heading, *rows])
