"""open_repository: files → a Repository whose outlines and links are read once and kept by content."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock

from nested_ray.languages.base import Outline
from nested_ray.repository.base import Link, SourceFile
from nested_ray.repository.cache import OutlineCache, content_key
from nested_ray.repository.collecting import without_collecting
from nested_ray.repository.definitions import DefinitionIndex, Entry, entries_of
from nested_ray.repository.facts import (
    FileFacts,
    read_file,
    unpack_facts,
    unpack_references,
)
from nested_ray.repository.links import Resolver, file_links
from nested_ray.repository.links_bsl import BslResolver
from nested_ray.repository.links_python import PythonResolver
from nested_ray.repository.metadata import (
    FormEvent,
    Metadata,
    MetadataText,
    read_form_events,
    read_metadata,
)
from nested_ray.repository.metadata_paths import is_form_path, is_object_path
from nested_ray.repository.ranking import Uses
from nested_ray.repository.read_files import read_all
from nested_ray.repository.reading_process import Packed

MAX_OPEN_OUTLINES = 200
"""Outlines held as objects; the others are unpacked again when they are asked for."""
PUT_EVERY = 200
"""Files read before they are written to the cache: what was done survives an interrupt."""

Progress = Callable[[int, int], None]
"""Called with files read and files in all."""


def open_repository(
    files: Iterable[SourceFile],
    *,
    metadata: Iterable[MetadataText] = (),
    cache_dir: Path | None = None,
    on_progress: Progress | None = None,
) -> IndexedRepository:
    """Index the files; with a `cache_dir`, only those whose content was not read before.

    Of two files of one path the later one counts. `metadata` is what `scan` found of XML.
    """
    by_path = {file.path: file for file in files}
    ordered = {path: by_path[path] for path in sorted(by_path)}
    keys = {path: content_key(file.language, file.text) for path, file in ordered.items()}
    cache = OutlineCache(cache_dir) if cache_dir is not None else None
    progress = on_progress or (lambda done, total: None)
    return IndexedRepository(ordered, keys, *_read(ordered, keys, cache, progress), cache, metadata)


def _read(
    files: Mapping[str, SourceFile],
    keys: Mapping[str, bytes],
    cache: OutlineCache | None,
    progress: Progress,
) -> tuple[dict[bytes, FileFacts], dict[bytes, bytes], int]:
    """Facts by key, packed references by key of what the cache does not hold, files read anew."""
    distinct = {key: files[path] for path, key in keys.items()}
    facts = _cached_facts(cache, list(distinct)) if cache is not None else {}
    missing = [key for key in distinct if key not in facts]
    known = len(distinct) - len(missing)
    progress(known, len(distinct))
    references: dict[bytes, bytes] = {}
    unsaved: dict[bytes, Packed] = {}
    found = read_all([distinct[key] for key in missing])
    for number, (index, packed) in enumerate(found, start=1):
        facts[missing[index]] = unpack_facts(packed[0])
        if cache is None:
            references[missing[index]] = packed[1]
        else:
            unsaved[missing[index]] = packed
            if len(unsaved) == PUT_EVERY:
                cache.put(unsaved)
                unsaved = {}
        progress(known + number, len(distinct))
    if cache is not None:
        cache.put(unsaved)
        cache.touch(distinct.keys() - set(missing))
        if missing:
            cache.shrink()
    return facts, references, len(missing)


def _cached_facts(cache: OutlineCache, keys: Sequence[bytes]) -> dict[bytes, FileFacts]:
    found: dict[bytes, FileFacts] = {}
    with without_collecting():
        for key, packed in cache.get_facts(keys).items():
            try:
                found[key] = unpack_facts(packed)
            except ValueError:  # damaged: read the file again
                continue
    return found


class IndexedRepository:
    """The files of a code base, what they define and how they depend on each other."""

    def __init__(
        self,
        files: Mapping[str, SourceFile],
        keys: Mapping[str, bytes],
        facts: Mapping[bytes, FileFacts],
        references: Mapping[bytes, bytes],
        num_read: int,
        cache: OutlineCache | None,
        metadata: Iterable[MetadataText],
    ) -> None:
        self._metadata_texts = tuple(metadata)
        self._files = files
        self._keys = keys
        self._facts = facts
        self._references = references
        self._cache = cache
        self._open: OrderedDict[bytes, Outline] = OrderedDict()
        self._lock = Lock()
        self.num_read = num_read
        """Files that had to be read; the others were known."""

    @property
    def files(self) -> Mapping[str, SourceFile]:
        """By path, in sorted order."""
        return self._files

    def facts(self, path: str) -> FileFacts:
        """Definitions, imports and possible links of one file; KeyError for a path that is not there."""
        return self._facts[self._keys[path]]

    def outline(self, path: str) -> Outline:
        """Outline of one file; KeyError for a path that is not there."""
        key = self._keys[path]
        with self._lock:
            found = self._open.get(key)
            if found is None:
                found = self._open[key] = self._unpack(path, key)
                if len(self._open) > MAX_OPEN_OUTLINES:
                    self._open.popitem(last=False)
            self._open.move_to_end(key)
            return found

    def _unpack(self, path: str, key: bytes) -> Outline:
        packed = self._references.get(key)
        if packed is None and self._cache is not None:
            packed = self._cache.get_references(key)
        facts = self._facts[key]
        if packed is not None:
            try:
                return Outline(facts.imports, facts.definitions, unpack_references(packed))
            except ValueError:  # damaged on disk
                pass
        file = self._files[path]
        _, references = read_file(file.language, file.text)
        return Outline(facts.imports, facts.definitions, unpack_references(references))

    @cached_property
    def metadata(self) -> Metadata:
        """Objects, subsystems, subscriptions and jobs of 1C configurations; empty without XML."""
        return read_metadata(each for each in self._metadata_texts if is_object_path(each.path))

    @cached_property
    def form_events(self) -> Sequence[FormEvent]:
        """Which method of its module handles what happens on a form, as far as there is XML."""
        return read_form_events(each for each in self._metadata_texts if is_form_path(each.path))

    @property
    def links(self) -> Sequence[Link]:
        """Every resolved dependency between two files, by source and offset."""
        return self._links

    @cached_property
    def _links(self) -> Sequence[Link]:
        found: list[Link] = []
        with without_collecting():
            resolvers: dict[str, Resolver] = {
                "python": PythonResolver(self._of_language("python")),
                "bsl": BslResolver(self._of_language("bsl"), self.metadata),
            }
            for path, file in self._files.items():
                if resolver := resolvers.get(file.language):
                    found.extend(file_links(path, self.facts(path), resolver))
        return found

    @cached_property
    def definitions_index(self) -> DefinitionIndex:
        """Every exported definition, found by module and name, ranked by who uses what."""
        return index_repositories([self])

    def _of_language(self, language: str) -> dict[str, FileFacts]:
        return {
            path: self.facts(path)
            for path, file in self._files.items()
            if file.language == language
        }


def index_repositories(repositories: Iterable[IndexedRepository]) -> DefinitionIndex:
    """The exported definitions of several code bases and how they use each other."""
    entries: list[Entry] = []
    users: dict[tuple[int, str], int] = {}
    counts: Counter[tuple[int | tuple[int, str], int]] = Counter()
    for number, repository in enumerate(repositories):
        places: dict[tuple[str, int], int] = {}
        for path, file in repository.files.items():
            for index, entry in entries_of(file, repository.facts(path).definitions):
                places[path, index] = len(entries)
                entries.append(entry)
        for link in repository.links:
            if link.target_definition is None or link.kind == "import":
                continue
            target = places.get((link.target, link.target_definition))
            if target is not None:
                # What is not exported has no entry: its uses count for the file.
                source = places.get(
                    (link.source, -1 if link.source_definition is None else link.source_definition)
                )
                user = (number, link.source) if source is None else source
                if isinstance(user, tuple):
                    users.setdefault(user, len(users))
                counts[user, target] += 1
    uses = sorted(
        Uses(len(entries) + users[user] if isinstance(user, tuple) else user, target, count)
        for (user, target), count in counts.items()
    )
    return DefinitionIndex(entries, uses, [path for _, path in users])
