"""How Python spells, hides and provides names."""

from __future__ import annotations

import builtins
import re
import unicodedata

BUILTINS = frozenset(dir(builtins)) | {
    *("__file__", "__path__", "__builtins__", "__annotations__"),
    *("__module__", "__qualname__", "__class__"),  # in a class, in its methods
}
HEADING = re.compile(
    r"^([ \t]*)(?:(?P<mark>@)|(?:async[ \t]+)?def[ \t]+\w+[ \t]*[(\[]|class[ \t]+\w+[ \t]*[(:\[])",
    re.MULTILINE,
)


def fold(name: str) -> str:
    """The name as the compiler stores it: `ﬁ` and `fi` are one name."""
    return name if name.isascii() else unicodedata.normalize("NFKC", name)


def mangle(name: str, class_name: str) -> str:
    """What a private name becomes inside a class: `__x` → `_C__x`."""
    bare = class_name.lstrip("_")
    if not bare or not name.startswith("__") or name.endswith("__") or "." in name:
        return name
    return f"_{bare}{name}"
