"""`nested-ray registry`: what is registered, what the aliases point at, and whether the bytes are right."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nested_ray.registry import Registry
    from nested_ray.registry.records import AliasMove, NestVersion

app = typer.Typer(no_args_is_help=True, help="Nest versions, aliases, files.")

Nest = Annotated[str, typer.Argument(metavar="NEST", help="Name of a nest.")]
Version = Annotated[str, typer.Argument(metavar="NEST@VERSION", help="Such as default@3.")]
Alias = Annotated[str, typer.Option(help="The alias to look at or to move.")]
Reason = Annotated[str, typer.Option(help="Why; it stays in the alias log.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command("list")
def list_nests(json: Json = False) -> None:
    """Every nest with its versions and aliases."""
    with _connect() as registry:
        rows = [
            {
                "nest": nest.name,
                "versions": nest.num_versions,
                "aliases": {a.alias: a.version for a in registry.catalog.list_aliases(nest.name)},
                "last_published_at": nest.last_published_at,
            }
            for nest in registry.list_nests()
        ]
    if json:
        _print_json(rows)
    elif not rows:
        typer.echo(
            "No nest is registered. Train one: nested-ray train train_configs/quickstart.yaml"
        )
    else:
        columns = ("nest", "versions", "champion", "candidate", "last published")
        lines = [
            (
                row["nest"],
                row["versions"],
                row["aliases"].get("champion", "-"),
                row["aliases"].get("candidate", "-"),
                _time(row["last_published_at"]),
            )
            for row in rows
        ]
        _print_table("Nests", columns, lines)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NEST[@REF]", help="A nest, or one version of it.")
    ],
    json: Json = False,
) -> None:
    """The versions of a nest, or one version (number or alias) with its levels and files."""
    nest, _, ref = name.partition("@")
    with _connect() as registry:
        versions = (registry.resolve(nest, ref),) if ref else registry.list_versions(nest)
    if json:
        _print_json(_facts(versions[0]) if ref else [_facts(version) for version in versions])
    elif ref:
        _print_version(versions[0])
    else:
        columns = ("version", "aliases", "published", "run", "parent", "levels", "size")
        _print_table(f"Nest {nest}", columns, [_summary(version) for version in versions])


@app.command()
def promote(
    name: Version,
    alias: Alias = "champion",
    reason: Reason = "promoted on the command line",
    json: Json = False,
) -> None:
    """Point an alias at a version; running servers take it at their next start."""
    nest, ref = _split(name)
    with _connect() as registry:
        version = registry.resolve(nest, ref).version
        _print_moves([registry.promote(nest, version, alias=alias, reason=reason)], json)


@app.command()
def rollback(
    nest: Nest, alias: Alias = "champion", reason: Reason = "rolled back", json: Json = False
) -> None:
    """Point an alias at what it meant before; again goes one further back."""
    with _connect() as registry:
        _print_moves([registry.rollback(nest, alias=alias, reason=reason)], json)


@app.command()
def history(nest: Nest, alias: Alias = "champion", json: Json = False) -> None:
    """Every move of an alias: when, from where, to where, who and why."""
    with _connect() as registry:
        _print_moves(registry.alias_history(nest, alias), json)


@app.command()
def verify(
    nest: Annotated[str | None, typer.Argument(help="Only this nest.")] = None,
    quick: Annotated[
        bool, typer.Option(help="Trust the store's own checksums instead of reading every byte.")
    ] = False,
    json: Json = False,
) -> None:
    """Check that every file of every version is stored and intact; exit code 1 when one is not."""
    with _connect() as registry:
        problems = registry.verify(nest, read=not quick)
    if json:
        _print_json([asdict(problem) for problem in problems])
    elif problems:
        lines = [(p.label, p.path, p.problem, p.sha256[:12]) for p in problems]
        _print_table("Damaged files", ("version", "file", "problem", "sha256"), lines)
        typer.echo(
            "These versions cannot be served. Point their aliases at others with `nested-ray registry "
            "rollback NEST` or `promote NEST@VERSION`, or train the nest again."
        )
    else:
        typer.echo("Every file of every version is stored and intact.")
    if problems:
        raise typer.Exit(1)


@app.command()
def gc(
    grace_minutes: Annotated[
        float | None, typer.Option(min=0, help="Leave younger objects alone (default: one hour).")
    ] = None,
    json: Json = False,
) -> None:
    """Remove what interrupted publishes left behind; no version loses a file."""
    from nested_ray.registry.registry import GRACE_S

    with _connect() as registry:
        removed = registry.gc(GRACE_S if grace_minutes is None else grace_minutes * 60)
    if json:
        _print_json(asdict(removed))
    else:
        typer.echo(
            f"Removed {removed.objects} objects and {removed.uploads} unfinished uploads; "
            f"ended {removed.publishes} publishes that had stopped."
        )


def _connect() -> Registry:
    from nested_ray.config.storage import StorageConfig
    from nested_ray.observability import logs
    from nested_ray.registry import connect

    logs.setup()
    return connect(StorageConfig.from_env(), use_actor=False)


def _split(name: str) -> tuple[str, str]:
    nest, _, ref = name.partition("@")
    if not nest or not ref:
        raise typer.BadParameter(
            f"{name!r} names no version; write NEST@VERSION, such as default@3"
        )
    return nest, ref


def _facts(version: NestVersion) -> dict[str, Any]:
    return asdict(version) | {"parent": version.parent}


def _summary(version: NestVersion) -> tuple[object, ...]:
    size = sum({file.sha256: file.size_bytes for file in version.files}.values())
    return (
        version.version,
        ", ".join(version.aliases) or "-",
        _time(version.created_at),
        version.run_id,
        version.parent or "-",
        ", ".join(level.name for level in version.levels),
        _size(size),
    )


def _print_version(version: NestVersion) -> None:
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    typer.echo(f"{version.label}{aliases}, published {_time(version.created_at)}")
    typer.echo(f"run {version.run_id}, corpus {version.corpus_digest}")
    if version.parent is not None:
        typer.echo(f"goes on from {version.parent}")
    columns = ("level", "kind", "weight", "parameters", "metrics")
    lines = [
        (each.name, each.kind, each.weight, f"{each.num_parameters:,}", _metrics(each.metrics))
        for each in version.levels
    ]
    _print_table("Levels", columns, lines)
    files = [(file.path, _size(file.size_bytes), file.sha256[:12]) for file in version.files]
    _print_table("Files", ("file", "size", "sha256"), files)


def _print_moves(moves: Sequence[AliasMove], json: bool) -> None:
    if json:
        _print_json([asdict(move) for move in moves])
        return
    columns = ("rev", "alias", "from", "to", "when", "who", "why")
    lines = [
        (
            m.rev,
            m.alias,
            m.from_version or "-",
            m.to_version,
            _time(m.moved_at),
            m.moved_by,
            m.reason,
        )
        for m in moves
    ]
    _print_table(f"Moves in nest {moves[0].nest}", columns, lines)


def _print_table(title: str, columns: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for line in lines:
        table.add_row(*(Text(str(cell)) for cell in line))
    Console().print(table)


def _print_json(value: Any) -> None:
    typer.echo(jsonlib.dumps(value, default=str, ensure_ascii=False, indent=2))


def _metrics(metrics: dict[str, float]) -> str:
    shown = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
    return ", ".join(f"{name} {value:.4g}" for name, value in sorted(shown.items())) or "-"


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "-"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes:,} B"
