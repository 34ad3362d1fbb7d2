"""Which unit a file belongs to, and which package or 1C subsystem a unit belongs to.

A unit is what moves as one: a Python or OneScript module, or a 1C object with all its modules and forms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nested_ray.repository.metadata_paths import module_place

OTHERS = "(others)"
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


def shown_packages(sizes: Mapping[str, int], limit: int) -> dict[str, str]:
    """Package → the group it is drawn in, so that at most `limit` groups remain.

    Groups are outermost names; the largest is opened again and again while there is room. What does not
    fit when a group is opened stays together as its rest.
    """
    groups = _fitting({name: _cut(name, 1) for name in sizes}, sizes, limit, OTHERS)
    depths = dict.fromkeys(groups.values(), 1)
    while openable := {group for group, depth in depths.items() if depth}:
        members = {name: group for name, group in groups.items() if group in openable}
        if not members:
            break
        largest = max(openable, key=lambda group: (_size(members, sizes, group), group))
        inside = [name for name, group in members.items() if group == largest]
        room = limit - len(set(groups.values())) + 1
        depth = depths.pop(largest)
        opened = {name: _cut(name, depth + 1) for name in inside}
        if len(set(opened.values())) == 1 and set(opened.values()) != {largest}:
            depths[next(iter(opened.values()))] = depth + 1
        elif len(set(opened.values())) > 1 and room > 2:
            opened = _fitting(opened, sizes, room, f"{largest} {OTHERS}")
            depths.update({group: depth + 1 for group in set(opened.values())})
            depths[f"{largest} {OTHERS}"] = 0
        else:
            continue
        groups.update(opened)
    return groups


def _fitting(
    groups: Mapping[str, str], sizes: Mapping[str, int], room: int, rest: str
) -> dict[str, str]:
    """The same groups, the smaller ones put together where there are too many."""
    names = set(groups.values())
    if len(names) <= room:
        return dict(groups)
    ordered = sorted(names, key=lambda group: (-_size(groups, sizes, group), group))
    kept = set(ordered[: room - 1])
    return {name: group if group in kept else rest for name, group in groups.items()}


def _size(groups: Mapping[str, str], sizes: Mapping[str, int], group: str) -> int:
    return sum(sizes[name] for name, each in groups.items() if each == group)


def _cut(name: str, depth: int) -> str:
    """The first parts of a name with the separators it is written with."""
    for position, char in enumerate(name):
        if char in "./" and position:
            depth -= 1
            if depth == 0:
                return name[:position]
    return name
