"""Names that a module knows without a definition: the global context, forms and objects.

`global_names.txt` lists them by where they are known, Russian and English.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

Section = Literal["functions", "properties", "enumerations", "module", "form", "object"]
_FILE = Path(__file__).with_name("global_names.txt")


@cache
def names_of(section: Section) -> frozenset[str]:
    """The names of one section, lower-case.

    `form` and `object` are plain names only inside modules of forms and of objects, sets and managers;
    there, attributes and tabular sections are plain names too, and no text declares those.
    """
    return _sections()[section]


@cache
def global_names() -> frozenset[str]:
    """What every module knows: global functions, properties and enumerations, and the module itself."""
    sections = _sections()
    return sections["functions"].union(
        sections["properties"], sections["enumerations"], sections["module"]
    )


@cache
def _sections() -> dict[str, frozenset[str]]:
    names: dict[str, set[str]] = {}
    section: set[str] = set()
    for line in _FILE.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = names.setdefault(line.strip("[]"), set())
        elif not line.startswith("#"):
            section.update(line.lower().split())
    return {name: frozenset(found) for name, found in names.items()}
