"""Requests: a tree, a range of git, the index, a diff or one text → the code to review and what changed in it."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from nested_ray.config.review import FILE_NAME
from nested_ray.corpus.filters import Refusal, decode
from nested_ray.corpus.git import GitTree
from nested_ray.corpus.sources import SourceFile as ListedFile
from nested_ray.errors import InvalidRequest, SourceNotFound
from nested_ray.languages import LANGUAGES, language_of
from nested_ray.repository.base import SourceFile
from nested_ray.repository.metadata import MetadataText
from nested_ray.repository.scan import (
    MAX_FILE_BYTES,
    Scan,
    Skipped,
    read_into,
    scan,
)
from nested_ray.review.change import Change, compare
from nested_ray.review.patched import of_patch
from nested_ray.review.reviewer import Unread

OnFile = Callable[[int, str], None]
"""Called with how many files were read and the path of the next one."""


@dataclass(frozen=True)
class Request:
    """What is reviewed."""

    root: Path
    """Paths are relative to it."""
    files: Sequence[SourceFile]
    """The whole code base."""
    metadata: Sequence[MetadataText] = ()
    paths: Collection[str] | None = None
    """The files that findings may lie in; None: all."""
    change: Change | None = None
    unread: Sequence[Unread] = ()


def find_root(start: Path) -> Path | None:
    """The git repository around a folder, else the folder of its `nested-ray.yaml`."""
    for name in (".git", FILE_NAME):
        for folder in (start, *start.parents):
            if (folder / name).exists():
                return folder
    return None


def request_tree(named: Sequence[Path], *, on_file: OnFile | None = None) -> Request:
    """The files and folders named, in the light of the repository around them.

    Outside of any repository, and for what git ignores, the named ones are all there is. Raises
    SourceNotFound for a path that is not there or holds no code.
    """
    places = [_existing(path) for path in named]
    folders = [place if place.is_dir() else place.parent for place in places]
    root = find_root(Path(os.path.commonpath(folders)))
    if root is not None:
        request = within(_of_scan(root, scan(root, on_file=on_file)), places)
        if request.paths or request.unread:
            return request
    request = _scan_named(Path(os.path.commonpath(folders)), places, on_file)
    if not request.files and not request.unread:
        endings = ", ".join(ending for each in LANGUAGES for ending in each.extensions)
        raise SourceNotFound(
            f"{', '.join(map(str, named))}: no file to review here; known are {endings}"
        )
    return request


def _existing(path: Path) -> Path:
    place = path.expanduser().absolute()
    place = place.parent.resolve() / place.name if place.name else place
    place = Path(os.path.normpath(place))
    if not place.exists():
        raise SourceNotFound(f"{str(path)!r} does not exist; give files or folders to review")
    return place


def _scan_named(root: Path, places: Sequence[Path], on_file: OnFile | None) -> Request:
    found = Scan()
    for place in places:
        part = scan(place, on_file=on_file)
        folder = place if place.is_dir() else place.parent
        prefix = folder.relative_to(root).as_posix()
        name = partial(posixpath.join, "" if prefix == "." else prefix)
        found.files.extend(replace(file, path=name(file.path)) for file in part.files)
        found.metadata.extend(file._replace(path=name(file.path)) for file in part.metadata)
        found.skipped.extend(replace(file, path=name(file.path)) for file in part.skipped)
    return _of_scan(root, found)


def _of_scan(root: Path, found: Scan, change: Change | None = None) -> Request:
    return Request(
        root,
        found.files,
        found.metadata,
        change=change,
        unread=[Unread(each.path, _why(each)) for each in found.skipped],
    )


def _why(skipped: Skipped) -> str:
    return f"{skipped.reason}: {skipped.detail}" if skipped.detail else skipped.reason


def within(request: Request, places: Sequence[Path]) -> Request:
    """The request, confined to files at or below some places on disk; all of it when none are named."""
    if not places:
        return request
    names = [os.path.relpath(place, request.root).replace(os.sep, "/") for place in places]

    def lies_within(path: str) -> bool:
        return any(name in (".", path) or path.startswith(f"{name}/") for name in names)

    return replace(
        request,
        paths=frozenset(file.path for file in request.files if lies_within(file.path)),
        unread=[each for each in request.unread if lies_within(each.path)],
    )


def request_range(root: Path, asked: str, *, on_file: OnFile | None = None) -> Request:
    """`REV` (against the files as they lie), `REV..REV`, or `REV...REV` (since they parted).

    New files that git does not ignore are part of the files as they lie. Raises SourceNotFound for
    a folder without git or a revision that is not there.
    """
    separator = "..." if "..." in asked else ".."
    first, two_sided, second = asked.partition(separator)
    base = GitTree.open(str(root), first or "HEAD")
    revision: str | None = None
    if two_sided:
        tip = GitTree.open(str(root), second or "HEAD")
        revision = tip.commit
        base = base.merge_base(tip) if separator == "..." else base
    now = scan(root, revision=revision, on_file=on_file)
    return _of_versions(root, scan(root, revision=base.commit, on_file=on_file), now)


def request_staged(root: Path, *, on_file: OnFile | None = None) -> Request:
    """What is staged for the next commit, against HEAD."""
    head = GitTree.open(str(root), "HEAD")
    now = Scan()
    with head.reader() as read:
        for number, entry in enumerate(head.staged(), start=1):
            if on_file is not None:
                on_file(number, entry.path)
            listed = ListedFile(entry.path, entry.size_bytes, partial(read, entry.oid))
            read_into(now, listed, MAX_FILE_BYTES)
    return _of_versions(root, scan(root, revision=head.commit, on_file=on_file), now)


def _of_versions(root: Path, before: Scan, now: Scan) -> Request:
    change = compare(before.files, now.files, before.metadata)
    request = _of_scan(root, now, change)
    were_unread = {each.path for each in before.skipped}
    return replace(
        request, unread=[each for each in request.unread if each.path not in were_unread]
    )


def request_patch(root: Path, patch: str, *, on_file: OnFile | None = None) -> Request:
    """A unified diff of the files as they lie, which may hold its changes already or not yet.

    Raises InvalidRequest for a diff that is broken or fits neither way.
    """
    found = scan(root, on_file=on_file)
    files, change = of_patch(found.files, found.metadata, patch)
    return _of_scan(root, replace(found, files=files), change)


def request_text(
    root: Path | None, name: Path, data: bytes, *, on_file: OnFile | None = None
) -> Request:
    """The bytes of one file, as an editor holds them, in place of the file of that name.

    Raises InvalidRequest for a name of no known language, or bytes that are no text.
    """
    place = Path(os.path.normpath(name.expanduser().absolute()))
    language = language_of(place.name, data[:1_000].decode("utf-8", "replace"))
    if language is None:
        endings = ", ".join(ending for each in LANGUAGES for ending in each.extensions)
        raise InvalidRequest(f"{name} is of no known language; its name should end with {endings}")
    text = decode(data, language.name)
    if isinstance(text, Refusal):
        why = f"{text.reason}: {text.detail}" if text.detail else text.reason
        raise InvalidRequest(f"the text of {name} cannot be read ({why}); send UTF-8")
    is_inside = root is not None and place.is_relative_to(root)
    base = root if root is not None and is_inside else place.parent
    path = place.relative_to(base).as_posix()
    found = scan(base, on_file=on_file) if is_inside else Scan()
    others = [file for file in found.files if file.path != path]
    files = [*others, SourceFile(path, language.name, text)]
    return Request(base, files, found.metadata, paths=frozenset({path}))
