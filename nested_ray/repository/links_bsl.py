"""What calls in a BSL or OneScript module mean in other modules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nested_ray.languages import get_language
from nested_ray.repository.facts import FileFacts
from nested_ray.repository.links import Target
from nested_ray.repository.metadata import Metadata
from nested_ray.repository.metadata_paths import MANAGERS, ModulePlace, module_place
from nested_ray.repository.uses_bsl import MODULE, NEW

_FOLD = get_language("bsl").fold


class BslResolver:
    """Common modules, global ones, manager modules, the module of a form's object, OneScript modules."""

    def __init__(self, facts: Mapping[str, FileFacts], metadata: Metadata) -> None:
        self._facts = facts
        self._places: dict[str, ModulePlace] = {}
        self._common: dict[str, list[str]] = defaultdict(list)
        self._managers: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._objects: dict[tuple[str, str, str], str] = {}
        self._scripts: dict[str, list[str]] = defaultdict(list)
        for path in facts:
            self._enter(path)
        self._exported = {path: exported(each) for path, each in facts.items()}
        self._globals = self._global_methods(metadata.global_modules())
        self._handlers = self._subscribed(metadata)

    def _global_methods(self, names: Iterable[str]) -> dict[str, list[Target]]:
        """Methods that are called without the name of their module."""
        found: dict[str, list[Target]] = defaultdict(list)
        for name in names:
            for path in self._common.get(name, ()):
                for method, index in self._exported[path].items():
                    found[method].append(Target(path, index))
        return found

    def _subscribed(self, metadata: Metadata) -> dict[str, list[Target]]:
        """Module of an object → methods that subscriptions call at its events."""
        found: dict[str, list[Target]] = defaultdict(list)
        for subscription in metadata.subscriptions:
            target = self._method(
                self._common.get(_FOLD(subscription.module), ()),
                _FOLD(subscription.method),
                subscription.path,
            )
            for source in subscription.sources:
                if target is None:
                    break
                kind, _, name = source.partition(".")
                for path in self._of_type(kind, _FOLD(name)):
                    found[path].append(target)
        return found

    def _of_type(self, kind: str, name: str) -> list[str]:
        """Modules of `CatalogObject.Валюты`; a type of many objects names none."""
        for ending in ("RecordSet", "Object", "Manager", "ValueManager"):
            if name and kind.endswith(ending):
                wanted = kind.removesuffix(ending)
                return [
                    path
                    for (_, other, own), path in self._objects.items()
                    if (other, own) == (wanted, name)
                ]
        return []

    def _enter(self, path: str) -> None:
        place = module_place(path)
        if place is None:
            if path.casefold().endswith(".os"):
                self._scripts[_FOLD(path.rpartition("/")[2][:-3])].append(path)
            return
        self._places[path] = place
        name = _FOLD(place.name)
        if place.kind == "CommonModule":
            self._common[name].append(path)
        elif place.role == "manager":
            self._managers[place.kind, name].append(path)
        elif place.role in ("object", "recordset", "value"):
            self._objects.setdefault((place.root, place.kind, name), path)

    def imports(self, path: str) -> Iterator[tuple[int, Target]]:
        """None: BSL names modules where it uses them."""
        return iter(())

    def belongs_to(self, path: str) -> Iterator[Target]:
        """The object module of a form or command; what subscribes to an object's events."""
        place = self._places.get(path)
        if place is not None and place.role in ("form", "command"):
            if found := self._objects.get((place.root, place.kind, _FOLD(place.name))):
                yield Target(found, None)
        yield from self._handlers.get(path, ())

    def resolve(self, path: str, name: str) -> Target | None:
        """The exported method a call reaches; None when there is none or more than one."""
        if name.startswith(MODULE):
            return self._module(self._common, _FOLD(name[len(MODULE) :]), path)
        if name.startswith(NEW):
            return self._module(self._scripts, _FOLD(name[len(NEW) :]), path)
        match _FOLD(name).split("."):
            case [method]:
                return self._global(method)
            case [module, method]:
                return self._method(self._callable(module, path), method, path)
            case [manager, module, method] if kind := MANAGERS.get(manager):
                return self._method(self._managers.get((kind, module), ()), method, path)
        return None

    def _callable(self, module: str, path: str) -> Sequence[str]:
        if path in self._places:
            return self._common.get(module, ())
        return self._scripts.get(module) or self._common.get(module, ())

    def _module(self, modules: Mapping[str, list[str]], name: str, path: str) -> Target | None:
        found = self._nearest(modules.get(name, ()), path)
        return Target(found[0], None) if len(found) == 1 else None

    def _method(self, modules: Sequence[str], method: str, path: str) -> Target | None:
        targets = [
            Target(module, index)
            for module in self._nearest(modules, path)
            if (index := self._exported[module].get(method)) is not None
        ]
        return targets[0] if len(targets) == 1 else None

    def _global(self, method: str) -> Target | None:
        found = self._globals.get(method, ())
        return found[0] if len(found) == 1 else None

    def _nearest(self, modules: Sequence[str], path: str) -> Sequence[str]:
        """Those of the file's own configuration; of others only where it has none of that name."""
        if len(modules) < 2:
            return modules
        place = self._places.get(path)
        root = place.root if place else ""
        own = [each for each in modules if each in self._places and self._places[each].root == root]
        return own or modules


def exported(facts: FileFacts) -> dict[str, int]:
    """Folded name → index of what other modules can call."""
    return {
        _FOLD(definition.name): index
        for index, definition in enumerate(facts.definitions)
        if definition.exported and definition.kind != "variable"
    }
