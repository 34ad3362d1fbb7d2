"""Orphans: modules that nothing in the repository names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nested_ray.analyzers.architecture.rules import ORPHAN_MODULE
from nested_ray.analyzers.architecture.structure import Structure
from nested_ray.analyzers.findings import Finding
from nested_ray.repository.base import SourceFile
from nested_ray.repository.index import IndexedRepository
from nested_ray.repository.metadata_paths import module_place

MAX_CANDIDATES = 200
"""Where more modules than that have no dependents, they are loaded in a way that is not seen."""
MIN_NAME_CHARS = 4
"""Shorter names occur in other words everywhere, and by chance."""
_CONFIDENCE = 0.7
_STARTS_ITSELF = re.compile(r"^if __name__\s*==|^#!", re.MULTILINE)
_RUN_BY_TOOLS = re.compile(
    r"(?:^|/)(?:test_[^/]*|[^/]*_test|tests?|conftest|setup|noxfile|manage|wsgi|asgi|__[^/]*__)\.pyi?$"
    r"|(?:^|/)(?:tests?|docs?|examples?|scripts?|benchmarks?|migrations)/"
)


def find_orphans(structure: Structure) -> list[str]:
    """Paths of Python modules in packages and of 1C common modules that no other file names."""
    used = {link.target for link in structure.repository.links}
    names = {
        path: name
        for path, file in structure.repository.files.items()
        if path not in used and (name := _name(structure, file)) is not None
    }
    if not names or len(names) > MAX_CANDIDATES:
        return []
    spoken = _handlers(structure)
    return sorted(
        path
        for path in _unnamed(structure.repository.files.values(), names)
        if names[path] not in spoken
    )


def _name(structure: Structure, file: SourceFile) -> str | None:
    """The name under which others would speak of the file; None where it needs no user."""
    if file.language == "bsl":
        placed = module_place(file.path)
        is_common = placed is not None and placed.kind == "CommonModule"
        name = placed.name.casefold() if placed is not None and is_common else None
    else:
        name = _python_name(structure, file)
    return name if name is not None and len(name) >= MIN_NAME_CHARS and file.text.strip() else None


def _python_name(structure: Structure, file: SourceFile) -> str | None:
    folder, _, last = file.path.rpartition("/")
    in_package = f"{folder}/__init__.py" in structure.repository.files
    if not in_package or _RUN_BY_TOOLS.search(file.path) or _STARTS_ITSELF.search(file.text):
        return None
    return last.rpartition(".")[0]


def _unnamed(files: Iterable[SourceFile], names: dict[str, str]) -> set[str]:
    """Candidates whose name stands in no other file, in code, text or comment."""
    left = dict(names)
    for file in files:
        text = file.text.casefold() if file.language == "bsl" else file.text
        for path in [path for path, name in left.items() if name in text and path != file.path]:
            del left[path]
        if not left:
            break
    return set(left)


def _handlers(structure: Structure) -> frozenset[str]:
    """Common modules, folded, that the platform itself calls."""
    repository = structure.repository
    if not isinstance(repository, IndexedRepository):
        return frozenset()
    metadata = repository.metadata
    called = [each.module for each in (*metadata.subscriptions, *metadata.jobs)]
    return frozenset(name.casefold() for name in called) | metadata.global_modules()


def orphan_findings(structure: Structure) -> Iterator[Finding]:
    """A note per orphan: who uses it from outside cannot be seen from here."""
    for path in find_orphans(structure):
        name = structure.shown(structure.layout.unit_of[path])
        yield Finding(
            rule=ORPHAN_MODULE.id,
            path=path,
            span=structure.line_span(path, 0),
            message=f"Nothing in the repository uses {name} or names it.",
            severity=ORPHAN_MODULE.severity,
            confidence=_CONFIDENCE,
            witness=f"searched in {len(structure.repository.files):,} files",
        )
