"""Python's modules: dotted names → files, as an import at one place would find them."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable

MAX_NAME_PARTS = 20


class PythonModules:
    """Files by every dotted name that some entry of `sys.path` could give them.

    An entry is the folder above the topmost package of a file or any folder above that, never the
    inside of a package: `import types` in `pkg/a.py` is not `pkg/types.py`.
    """

    def __init__(self, paths: Iterable[str], imported: Iterable[str] = ()) -> None:
        self._paths = set(paths)
        self._packages = {
            path.rpartition("/")[0] for path in self._paths if path.split("/")[-1] == "__init__.py"
        }
        # The repository may be the inside of a package; what it is called, its own imports tell.
        self._above = self._package_above(imported) if "" in self._packages else ()
        self._by_name: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._by_folder: dict[str, str] = {}
        for path in sorted(self._paths):
            for name, root in self._names(path):
                self._by_name[name].append((root, path))
            self._by_folder.setdefault(module_folder(path), path)

    def find(self, module: str, asking: str) -> str | None:
        """The file of an absolute dotted name; the one nearest to the asking file, or the only one."""
        found = self._by_name.get(module)
        if not found:
            return None
        above = [each for each in found if asking.startswith(each[0])]
        if above:
            nearest = max(len(root) for root, _ in above)
            paths = {path for root, path in above if len(root) == nearest}
            return self._package_first(paths)
        is_standard = module.partition(".")[0] in sys.stdlib_module_names
        paths = {path for _, path in found}
        return next(iter(paths)) if len(paths) == 1 and not is_standard else None

    def relative(self, module: str, asking: str) -> str | None:
        """The file of a name with leading dots."""
        dots = len(module) - len(module.lstrip("."))
        folders = asking.split("/")[:-1]
        if dots - 1 > len(folders):
            return None
        base = folders[: len(folders) - (dots - 1)]
        rest = [part for part in module[dots:].split(".") if part]
        return self._by_folder.get("/".join([*base, *rest]))

    def submodule(self, package: str, name: str) -> str | None:
        """`pkg/__init__.py`, `sub` → `pkg/sub.py` or `pkg/sub/__init__.py`."""
        folder, _, file = package.rpartition("/")
        if file.partition(".")[0] != "__init__":
            return None
        return self._by_folder.get(f"{folder}/{name}" if folder else name)

    def _names(self, path: str) -> list[tuple[str, str]]:
        folder = module_folder(path)
        parts = folder.split("/") if folder else []
        first = max(len(parts) - 1, 0)
        while first > 0 and "/".join(parts[:first]) in self._packages:
            first -= 1
        if first == 0 and "" in self._packages:
            return [(".".join([*self._above, *parts]), "")] if self._above else []
        return [
            (".".join(parts[start:]), "/".join(parts[:start]) + "/" if start else "")
            for start in range(max(0, len(parts) - MAX_NAME_PARTS), first + 1)
        ]

    def _package_above(self, imported: Iterable[str]) -> tuple[str, ...]:
        """The dotted name that most imports have before the path of a file here; empty for none."""
        folders = {module_folder(path) for path in self._paths}
        votes: Counter[tuple[str, ...]] = Counter()
        for module in imported:
            parts = module.split(".")[:MAX_NAME_PARTS]
            for length in range(1, len(parts)):
                if "/".join(parts[length:]) in folders:
                    votes[tuple(parts[:length])] += 1
        return max(votes, key=lambda name: (votes[name], -len(name)), default=())

    def _package_first(self, paths: set[str]) -> str | None:
        """Of `a.py` and `a/__init__.py` Python takes the package; `.pyi` describe, and do not run."""
        if len(paths) == 1:
            return next(iter(paths))
        packages = {path for path in paths if path.endswith("/__init__.py")}
        sources = packages or {path for path in paths if path.endswith(".py")}
        return next(iter(sources)) if len(sources) == 1 else None


def module_folder(path: str) -> str:
    """`a/b.py` and `a/b/__init__.py` → `a/b`."""
    stem = path.rpartition(".")[0] or path
    return stem.removesuffix("/__init__") if stem != "__init__" else ""
