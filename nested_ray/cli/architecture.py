"""`nested-ray architecture PATH`: a code base from above: layers, circles, hubs, patterns, places, impact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nested_ray.analyzers.architecture.impact import Node
    from nested_ray.analyzers.architecture.report import ArchitectureReport
    from nested_ray.analyzers.architecture.structure import Structure
    from nested_ray.cli.review_progress import ReviewProgress
    from nested_ray.config.architecture import ArchitectureConfig
    from nested_ray.repository.index import IndexedRepository


def architecture(
    path: Annotated[Path, typer.Argument(help="The root of a code base.")] = Path(),
    json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print the packages as a Mermaid flowchart.")
    ] = False,
    svg: Annotated[
        Path | None, typer.Option(help="Write the picture of the packages here.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with picture, search and findings here.")
    ] = None,
    impact: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH_OR_NAME",
            help="Say what a change of this can reach: a file, file:definition, module.definition "
            "or 1C object. May be repeated.",
        ),
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(
            metavar="REV[..REV]", help="Say what the changes since a git revision can reach."
        ),
    ] = None,
    place: Annotated[
        Path | None, typer.Option(help="Say which package or subsystem this file belongs to.")
    ] = None,
    rules: Annotated[
        str | None,
        typer.Option(help="Only these findings, by id or pattern, separated by commas."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="nested-ray.yaml; default: the nearest one above PATH.")
    ] = None,
) -> None:
    """Show how a code base is built and where its design breaks, each remark with its proof.

    Layers are read from nested-ray.yaml (architecture.layers) or follow from the links. Everything is
    worked out from the code itself; nothing leaves this machine.
    """
    from rich.console import Console

    from nested_ray.cli.review_progress import ReviewProgress
    from nested_ray.config.review import load_config

    root = _folder(path)
    settings = load_config(root, config)[0].architecture
    with ReviewProgress(Console(stderr=True)) as progress:
        if diff is not None or impact:
            answer = _impact(root, impact or (), diff, progress)
        elif place is not None:
            answer = _place(root, place, progress)
        else:
            answer = _report(root, settings, rules, progress)
    if isinstance(answer, _Report):
        _show_report(answer.report, root, json=json, mermaid=mermaid, svg=svg, html=html)
    else:
        _print(answer, json=json)


class _Report:
    def __init__(self, report: ArchitectureReport) -> None:
        self.report = report


def _folder(path: Path) -> Path:
    from nested_ray.errors import SourceNotFound

    root = path.expanduser().absolute()
    if not root.is_dir():
        raise SourceNotFound(f"{path} is no folder; name the root of a code base")
    return root


def _open(root: Path, progress: ReviewProgress, extra: Sequence[Any] = ()) -> IndexedRepository:
    """Read and index a folder; `extra` files count as part of it."""
    from nested_ray.cli.folders import cache_folder
    from nested_ray.errors import NoUsableFiles
    from nested_ray.repository.index import open_repository
    from nested_ray.repository.scan import scan

    found = scan(root, on_file=progress.on_file)
    if not found.files:
        raise NoUsableFiles(f"{root} holds no Python or 1C file; name the root of a code base")
    return open_repository(
        [*found.files, *extra],
        metadata=found.metadata,
        cache_dir=cache_folder(),
        on_progress=lambda done, total: progress.step("indexing", done, total),
    )


def _report(
    root: Path, settings: ArchitectureConfig, rules: str | None, progress: ReviewProgress
) -> _Report:
    from dataclasses import replace
    from fnmatch import fnmatchcase

    from nested_ray.analyzers.architecture.report import describe

    repository = _open(root, progress)
    report = describe(repository, settings, on_step=lambda step: progress.step(step, 0, None))
    if rules is not None:
        wanted = [pattern.strip() for pattern in rules.split(",") if pattern.strip()]
        kept = [f for f in report.findings if any(fnmatchcase(f.rule, each) for each in wanted)]
        report = replace(report, findings=tuple(kept))
    return _Report(report)


def _show_report(
    report: ArchitectureReport,
    root: Path,
    *,
    json: bool,
    mermaid: bool,
    svg: Path | None,
    html: Path | None,
) -> None:
    from nested_ray.analyzers.architecture.pictures import draw, to_html, to_mermaid, to_svg
    from nested_ray.cli.architecture_text import report_text
    from nested_ray.files import write_text

    drawing = draw(report)
    if svg is not None:
        write_text(svg, to_svg(drawing, title=root.name))
        typer.echo(f"picture: {svg}", err=True)
    if html is not None:
        write_text(html, to_html(report, drawing, title=root.name))
        typer.echo(f"page: {html}", err=True)
    if json:
        _dump(report.to_dict())
    elif mermaid:
        typer.echo(to_mermaid(drawing), nl=False)
    elif svg is None and html is None:
        typer.echo(report_text(report), nl=False)


def _impact(
    root: Path, names: Sequence[str], diff: str | None, progress: ReviewProgress
) -> dict[str, Any]:
    from nested_ray.analyzers.architecture.impact import changed_nodes, impact_of, impact_values
    from nested_ray.analyzers.architecture.structure import read_structure

    nodes: list[Node] = []
    if diff is not None:
        structure, nodes = _changed_since(root, diff, progress)
    else:
        structure = read_structure(_open(root, progress))
    for name in names:
        nodes.extend(changed_nodes(structure, name))
    progress.step("following links", 0, None)
    return impact_values(structure, nodes, impact_of(structure, nodes))


def _changed_since(
    root: Path, revisions: str, progress: ReviewProgress
) -> tuple[Structure, list[Node]]:
    """The new version of a code base, and the definitions whose lines are new."""
    from nested_ray.analyzers.architecture.impact import in_spans
    from nested_ray.analyzers.architecture.structure import read_structure
    from nested_ray.cli.folders import cache_folder
    from nested_ray.repository.index import open_repository
    from nested_ray.review.lines import Lines
    from nested_ray.review.requests import find_root, request_range

    request = request_range(find_root(root) or root, revisions, on_file=progress.on_file)
    repository = open_repository(request.files, metadata=request.metadata, cache_dir=cache_folder())
    structure = read_structure(repository)
    nodes: list[Node] = []
    lines_of = request.change.lines if request.change is not None else {}
    for path, numbers in sorted(lines_of.items()):
        lines = Lines(repository.files[path].text)
        starts = [lines.line_start(number) for number in sorted(numbers) if number <= len(lines)]
        nodes += in_spans(structure, path, [structure.line_span(path, start) for start in starts])
    return structure, nodes


def _place(root: Path, file: Path, progress: ReviewProgress) -> dict[str, Any]:
    from nested_ray.analyzers.architecture.misplaced import judge, rank_places
    from nested_ray.analyzers.architecture.structure import read_structure
    from nested_ray.cli.architecture_text import MAX_PLACES
    from nested_ray.errors import NoUsableFiles

    absolute = file.expanduser().absolute()
    is_inside = absolute.is_relative_to(root)
    name = absolute.relative_to(root).as_posix() if is_inside else absolute.name
    repository = _open(root, progress, () if is_inside else (_read(absolute),))
    if name not in repository.files:
        raise NoUsableFiles(f"{file} was not read: it is no Python or 1C file, or is ignored")
    structure = read_structure(repository)
    progress.step("learning the layout", 0, None)
    judged = judge(structure)
    if judged is None:
        raise NoUsableFiles(
            f"{root} has fewer than two packages of four modules: there is no layout to learn"
        )
    places = rank_places(structure, judged, name)[:MAX_PLACES]
    return {
        "path": name,
        "stands_in": structure.layout.package_of[structure.layout.unit_of[name]]
        if is_inside
        else None,
        "places": [{"name": place, "probability": round(share, 4)} for place, share in places],
    }


def _read(path: Path) -> Any:
    """A file from outside, as if it lay at the root."""
    from nested_ray.corpus.filters import Refusal, decode
    from nested_ray.errors import SourceNotFound
    from nested_ray.languages import language_of
    from nested_ray.repository.base import SourceFile

    try:
        content = path.read_bytes()
    except OSError as exc:
        raise SourceNotFound(f"cannot read {path}: {exc.strerror}") from exc
    language = language_of(path.name)
    if language is None:
        raise SourceNotFound(f"{path} is neither Python nor 1C by its extension")
    text = decode(content, language.name)
    if isinstance(text, Refusal):
        raise SourceNotFound(f"{path} is no text ({text.detail or text.reason})")
    return SourceFile(path.name, language.name, text)


def _print(values: dict[str, Any], *, json: bool) -> None:
    from nested_ray.cli.architecture_text import impact_text, place_text

    if json:
        _dump(values)
    else:
        typer.echo(place_text(values) if "places" in values else impact_text(values), nl=False)


def _dump(values: Any) -> None:
    import json as jsonlib

    typer.echo(jsonlib.dumps(values, ensure_ascii=False, indent=2))
