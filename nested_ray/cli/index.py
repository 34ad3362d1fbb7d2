"""`nested-ray index PATH`: what a code base defines and how its files depend on each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from nested_ray.repository.index import IndexedRepository
    from nested_ray.repository.scan import Scan


def index(
    path: Annotated[Path, typer.Argument(help="The root of a code base.")] = Path(),
    revision: Annotated[
        str | None, typer.Option(help="A git revision instead of the files as they lie.")
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(help="Only these paths, as in .gitignore. May be repeated.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Not these paths, as in .gitignore. May be repeated.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Read a code base and keep what was read, so that review and architecture start at once.

    Files are found again by their content: after a change only the changed ones are read.
    """
    import gc
    import json as jsonlib
    import time

    from rich.console import Console

    from nested_ray.cli.folders import cache_folder
    from nested_ray.cli.review_progress import ReviewProgress
    from nested_ray.repository.collecting import without_collecting
    from nested_ray.repository.index import open_repository
    from nested_ray.repository.scan import scan

    started = time.monotonic()
    with ReviewProgress(Console(stderr=True)) as progress:
        found = scan(
            path,
            include=include or (),
            exclude=exclude or (),
            revision=revision,
            on_file=progress.on_file,
        )
        repository = open_repository(
            found.files,
            metadata=found.metadata,
            cache_dir=cache_folder(),
            on_progress=lambda done, total: progress.step("indexing", done, total),
        )
        with without_collecting():
            counts = counted(found, repository)
    counts["seconds"] = round(time.monotonic() - started, 2)
    if json:
        typer.echo(jsonlib.dumps(counts, ensure_ascii=False, indent=2))
    else:
        show(counts, Console())
    gc.freeze()  # the process ends: its million objects need not be looked through once more


def counted(found: Scan, repository: IndexedRepository) -> dict[str, Any]:
    """Files, definitions and links by kind."""
    from collections import Counter

    files = repository.files.values()
    links = repository.links
    return {
        "files": dict(Counter(file.language for file in files)),
        "files_read": repository.num_read,
        "skipped": [[each.path, each.reason, each.detail] for each in found.skipped],
        "definitions": sum(len(repository.facts(path).definitions) for path in repository.files),
        "links": dict(Counter(link.kind for link in links)),
        "dependencies": len({(link.source, link.target) for link in links}),
        "metadata_objects": len(repository.metadata.objects),
    }


def show(counts: dict[str, Any], console: Console) -> None:
    """The counts in sentences."""
    files, links = counts["files"], counts["links"]
    total = sum(files.values())
    lines = [
        f"{total:,} file{'s' * (total != 1)} ({by_name(files)})",
        f"{counts['files_read']:,} read now, what is in the others was known",
        f"{counts['definitions']:,} definitions",
        f"{sum(links.values()):,} links ({by_name(links)}) in {counts['dependencies']:,} pairs of files",
    ]
    if counts["metadata_objects"]:
        lines.append(f"{counts['metadata_objects']:,} objects described by metadata")
    lines.extend(skipped_lines(counts["skipped"]))
    lines.append(f"{counts['seconds']:.1f} s")
    for line in lines:
        console.print(line, highlight=False, markup=False)


def skipped_lines(skipped: Sequence[Sequence[str]], at_most: int = 5) -> list[str]:
    """The first files that were not read, each with its reason."""
    lines = [
        f"not read: {path}: {reason}{f' ({detail})' if detail else ''}"
        for path, reason, detail in skipped[:at_most]
    ]
    if len(skipped) > at_most:
        lines.append(f"not read: {len(skipped) - at_most:,} more; --json names all")
    return lines


def by_name(counts: dict[str, int]) -> str:
    """`1,203 python, 12 bsl`; the most first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ordered) or "none"
