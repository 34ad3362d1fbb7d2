"""What analyzers ask of a repository beyond the protocol: definitions without references, 1C subsystems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nested_ray.languages.base import Definition
from nested_ray.repository.base import Repository
from nested_ray.repository.index import IndexedRepository
from nested_ray.repository.metadata_paths import module_place


def definitions_of(repository: Repository, path: str) -> Sequence[Definition]:
    """Definitions of one file; an index gives them without unpacking the references."""
    if isinstance(repository, IndexedRepository):
        return repository.facts(path).definitions
    return repository.outline(path).definitions


def subsystem_of(repository: Repository) -> Mapping[str, str]:
    """1C object (`Catalog.Валюты`) → the subsystem it belongs to; empty without metadata.

    Of several the innermost counts, and among those the smallest: outer and large ones are made for menus.
    """
    if not isinstance(repository, IndexedRepository):
        return {}
    subsystems = repository.metadata.subsystems
    sizes = {subsystem.full_name: len(subsystem.content) for subsystem in subsystems}
    parents = {name.rpartition(".")[0] for name in sizes}
    found: dict[str, str] = {}
    for path in repository.files:
        placed = module_place(path) if path.endswith(".bsl") else None
        if placed is not None:
            names = repository.metadata.subsystems_of(placed.kind, placed.name)
            leaves = [name for name in names if name not in parents] or names
            if leaves:
                unit = f"{placed.root}{placed.kind}.{placed.name}"
                found[unit] = min(leaves, key=lambda name: (-name.count("."), sizes[name], name))
    return found
