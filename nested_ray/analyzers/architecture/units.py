"""Which unit a file belongs to, and which package or 1C subsystem a unit belongs to.

A unit is what moves as one: a Python or OneScript module, or a 1C object with all its modules and forms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nested_ray.repository.metadata_paths import module_place

ROOT = "."
"""Package of a file that lies in no folder."""


@dataclass(frozen=True)
class Layout:
    """Where the files of a repository stand."""

    unit_of: Mapping[str, str]
    """Path → unit: `Catalog.Валюты`, or the path itself."""
    package_of: Mapping[str, str]
    """Unit → package: a dotted Python package, a folder, or the path of a subsystem."""
    files_of: Mapping[str, tuple[str, ...]]
    """Unit → its files, sorted."""


def read_layout(paths: Iterable[str], subsystem_of: Mapping[str, str]) -> Layout:
    """The layout of files; `subsystem_of` names the subsystem of 1C objects where metadata say so."""
    ordered = sorted(paths)
    folders = {path.rpartition("/")[0] for path in ordered if path.endswith("/__init__.py")}
    unit_of = {path: unit_name(path) for path in ordered}
    files: dict[str, list[str]] = {}
    for path, unit in unit_of.items():
        files.setdefault(unit, []).append(path)
    package_of = {
        unit: subsystem_of.get(unit) or package_name(members[0], folders)
        for unit, members in files.items()
    }
    return Layout(unit_of, package_of, {unit: tuple(names) for unit, names in files.items()})


def unit_name(path: str) -> str:
    """`src/Catalogs/Валюты/Ext/ManagerModule.bsl` → `Catalog.Валюты`; other files are units themselves."""
    placed = module_place(path) if path.endswith(".bsl") else None
    return path if placed is None else f"{placed.root}{placed.kind}.{placed.name}"


def package_name(path: str, python_packages: set[str]) -> str:
    """The package of a file: its folder, with dots where it is a Python package.

    A module that lies in no package is one by itself: `argparse` of the standard library.
    """
    placed = module_place(path) if path.endswith(".bsl") else None
    if placed is not None:
        return f"{placed.root}{placed.kind}.{placed.name}"
    folder, _, name = path.rpartition("/")
    if folder in python_packages:
        return dotted(folder, python_packages)
    if name.endswith((".py", ".pyi")):
        return path.rpartition(".")[0]
    return folder or ROOT


def dotted(folder: str, python_packages: set[str]) -> str:
    """`src/app/core` → `src/app.core` where `src/app` is the outermost Python package."""
    parts = folder.split("/")
    first = len(parts) - 1
    while first and "/".join(parts[:first]) in python_packages:
        first -= 1
    return "/".join([*parts[:first], ".".join(parts[first:])])


def shown_packages(packages: Iterable[str], limit: int) -> dict[str, str]:
    """Package → the group it is drawn in, so that at most `limit` groups remain.

    Names are cut to the deepest common depth that fits; if one level is still too much, the smaller
    ones are drawn together.
    """
    names = sorted(set(packages))
    split = {name: [part for part in name.replace("/", ".").split(".") if part] for name in names}
    for depth in range(max((len(parts) for parts in split.values()), default=0), 0, -1):
        groups = {name: _cut(name, depth) for name in names}
        if len(set(groups.values())) <= limit:
            return groups
    kept = set(sorted({_cut(name, 1) for name in names})[: limit - 1])
    return {name: _cut(name, 1) if _cut(name, 1) in kept else "(others)" for name in names}


def _cut(name: str, depth: int) -> str:
    """The first parts of a name with the separators it is written with."""
    for position, char in enumerate(name):
        if char in "./" and position:
            depth -= 1
            if depth == 0:
                return name[:position]
    return name
