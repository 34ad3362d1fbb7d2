"""What names used in a Python file mean in other files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from nested_ray.repository.bindings import STAR, Binding
from nested_ray.repository.facts import FileFacts
from nested_ray.repository.links import Target
from nested_ray.repository.modules_python import PythonModules, module_folder

MAX_HOPS = 10
"""Re-exports followed from one `__init__` to the next."""


class PythonResolver:
    """Imports, re-exports, star imports and attributes of modules and classes."""

    def __init__(self, facts: Mapping[str, FileFacts]) -> None:
        self._facts = facts
        self._modules = PythonModules(
            facts, (statement.module for each in facts.values() for statement in each.imports)
        )
        self._top = {path: members(each, None) for path, each in facts.items()}
        self._classes: dict[tuple[str, str], dict[str, int]] = {}
        self._exports: dict[tuple[str, str], Target | None] = {}
        self._found: dict[tuple[str, str], str | None] = {}

    def imports(self, path: str) -> Iterator[tuple[int, Target]]:
        """A target per imported module, and per imported name that is found.

        `from package import submodule` depends on the submodule; on the package only for what is in it.
        """
        for statement in self._facts[path].imports:
            module = self.module(statement.module, path)
            targets: dict[Target, None] = {}
            takes_module = not statement.names
            for name in statement.names or ():
                bound = self._named(statement.module, name, path)
                targets.update(dict.fromkeys(bound))
                takes_module |= not bound or any(self._is_in(module, each) for each in bound)
            if module is not None and takes_module:
                targets[Target(module, None)] = None
            for target in targets:
                yield statement.span.start, target

    def _named(self, module: str, name: str, path: str) -> list[Target]:
        """What one name of an import from that module may be."""
        bindings = self._facts[path].bindings.get(name, ())
        asked = [each for each in bindings if each.module == module and each.name is not None]
        found = (self._bound(binding, path, 0) for binding in asked)
        return [target for target in found if target is not None]

    def _is_in(self, module: str | None, target: Target) -> bool:
        """Whether the target is a name that the module itself holds, and no module below it."""
        if module is None or target.definition is not None:
            return True
        folder, package = module_folder(target.path), module_folder(module)
        return folder.rpartition("/")[0] != package or folder == package

    def belongs_to(self, path: str) -> tuple[Target, ...]:
        """Nothing: a module stands for itself."""
        return ()

    def resolve(self, path: str, name: str) -> Target | None:
        """The definition behind `a.b.c`; None for a module as a whole and for what is not certain."""
        head, *rest = name.split(".")
        bindings = self._facts[path].bindings
        found = bindings.get(head)
        if found is None:
            starred = self._starred(bindings.get(STAR, ()), path)
            target = the_only(self._exported(module, head, 0) for module in starred)
            for part in rest:
                target = self._attribute(target, part) if target else None
        elif len(found) == 1:
            target = self._follow(found[0], rest, path)
        else:
            target = the_only(self._follow(binding, rest, path) for binding in found)
        return target if target and target.definition is not None else None

    def module(self, module: str, path: str) -> str | None:
        """The file an import of that module in that file reads."""
        key = module, path
        if key not in self._found:
            find = self._modules.relative if module.startswith(".") else self._modules.find
            self._found[key] = find(module, path)
        return self._found[key]

    def _follow(self, binding: Binding, rest: list[str], path: str) -> Target | None:
        """What a dotted name means whose first part an import binds."""
        target = self._bound(binding, path, 0)
        if target is None and binding.name is None:
            # `import a.b` binds a, which may be a folder without a file.
            return self._through_folders(binding.module, rest, path)
        for part in rest:
            target = self._attribute(target, part) if target else None
        return target

    def _through_folders(self, module: str, rest: list[str], path: str) -> Target | None:
        for index, part in enumerate(rest[:-1], start=1):
            module = f"{module}.{part}"
            file = self.module(module, path)
            if file is not None:
                target: Target | None = Target(file, None)
                for name in rest[index:]:
                    target = self._attribute(target, name) if target else None
                return target
        return None

    def _bound(self, binding: Binding, path: str, hops: int) -> Target | None:
        file = self.module(binding.module, path)
        if binding.name is None:
            return Target(file, None) if file else None
        if file is not None:
            return self._exported(file, binding.name, hops)
        # A name of a folder without `__init__.py` is a module.
        dot = "" if binding.module.endswith(".") else "."
        below = self.module(f"{binding.module}{dot}{binding.name}", path)
        return Target(below, None) if below else None

    def _exported(self, file: str, name: str, hops: int) -> Target | None:
        """What a name is in a module: defined there, imported there, or a module below it."""
        key = file, name
        if key not in self._exports:
            self._exports[key] = None  # what it is while it is looked for: cycles end here
            self._exports[key] = self._find_export(file, name, hops)
        return self._exports[key]

    def _find_export(self, file: str, name: str, hops: int) -> Target | None:
        if (index := self._top[file].get(name)) is not None:
            return Target(file, index)
        if hops >= MAX_HOPS:
            return None
        facts = self._facts[file]
        if bindings := facts.bindings.get(name):
            targets = {self._bound(binding, file, hops + 1) for binding in bindings} - {None}
            if targets:
                return the_only(targets)
        if below := self._modules.submodule(file, name):
            return Target(below, None)
        if name.startswith("_"):
            return None
        starred = self._starred(facts.bindings.get(STAR, ()), file)
        return the_only(self._exported(module, name, hops + 1) for module in starred)

    def _starred(self, bindings: tuple[Binding, ...], path: str) -> list[str]:
        found = (self.module(binding.module, path) for binding in bindings)
        return [module for module in found if module is not None]

    def _attribute(self, target: Target, name: str) -> Target | None:
        """A name of a module, or a method of a class."""
        if target.definition is None:
            return self._exported(target.path, name, 0)
        definition = self._facts[target.path].definitions[target.definition]
        if definition.kind != "class":
            return None
        key = target.path, definition.name
        if key not in self._classes:
            self._classes[key] = members(self._facts[target.path], definition.name)
        index = self._classes[key].get(name)
        return None if index is None else Target(target.path, index)


def the_only(targets: Iterable[Target | None]) -> Target | None:
    """The target when all that is found is the same one."""
    found = set(targets) - {None}
    return found.pop() if len(found) == 1 else None


def members(facts: FileFacts, parent: str | None) -> dict[str, int]:
    """Name → index of what a module or class defines; the last definition of a name counts."""
    return {
        definition.name: index
        for index, definition in enumerate(facts.definitions)
        if definition.parent == parent
    }
