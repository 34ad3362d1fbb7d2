"""Sources: a folder, a git revision, an installed package, accepted completions → files, read on demand."""

from __future__ import annotations

import importlib.util
import os
import posixpath
import re
import stat
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from nested_ray.config.corpus import (
    CompletionsSource,
    FolderSource,
    GitSource,
    PackageSource,
    Source,
)
from nested_ray.corpus.completions import completion_texts
from nested_ray.corpus.git import GitTree
from nested_ray.errors import SourceNotFound

SKIPPED_FOLDERS = frozenset({
    ".eggs", ".git", ".hg", ".idea", ".mypy_cache", ".nested-ray", ".nox", ".pytest_cache",
    ".ruff_cache", ".svn", ".tox", ".venv", "__pycache__", "node_modules",
})  # fmt: skip
"""Never looked into: version control, caches and dependencies."""
LICENCE_FILE = re.compile(r"(?:un)?licen[cs]e|copying", re.IGNORECASE)
NOT_PROSE = re.compile(r"\.(?:py|pyi|pyc|bsl|os|json|ya?ml|xml|html?|js|c|h)$", re.IGNORECASE)
INSTALLED_FOLDERS = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True)
class SourceFile:
    """One file of a source; its bytes are read only when asked for."""

    path: str
    """Relative to the source, `/`-separated; a folder that cannot be listed ends with `/`."""
    size_bytes: int
    read: Callable[[], bytes] = field(repr=False, compare=False)
    """Raises OSError when the bytes cannot be had."""


@dataclass(frozen=True)
class OpenSource:
    """A source that was found to exist."""

    name: str
    """`package:stdlib`, `git:/repo@1a2b3c4d5e6f`, `git:/repo@000011112222..1a2b3c4d5e6f`, `folder:/code`."""
    listing: Callable[[], AbstractContextManager[Sequence[SourceFile]]]
    """Every regular file in order of path, readable until the `with` block ends.

    Symbolic links are not followed out of the source.
    """
    package: str | None = None
    """Import name, when the source is an installed package."""


def open_source(source: Source) -> OpenSource:
    """Find what a config names; raises SourceNotFound saying what is missing and what to do."""
    if isinstance(source, GitSource):
        return open_git(source)
    if isinstance(source, PackageSource):
        return open_package(source)
    if isinstance(source, CompletionsSource):
        return open_completions(source)
    return open_folder(source)


def parse_source(text: str) -> Source:
    """What is typed on a command line as a source.

    `PATH`, `folder:PATH`, `git:PATH@REVISION`, `git:PATH@OLD..NEW`, `package:NAME` or
    `completions:FILE`. A bare path to a git repository means the files tracked at its HEAD;
    `folder:` reads every file. `OLD..` means up to HEAD.
    """
    kind, separator, rest = text.partition(":")
    if separator and kind == "package":
        return PackageSource(name=rest)
    if separator and kind == "folder":
        return FolderSource(path=rest)
    if separator and kind == "completions":
        return CompletionsSource(path=rest)
    if not separator or kind != "git":
        is_repository = os.path.exists(os.path.join(os.path.expanduser(text), ".git"))
        return GitSource(path=text) if is_repository else FolderSource(path=text)
    path, at, revision = rest.rpartition("@")
    if not at or Path(rest).expanduser().is_dir():  # an @ may belong to the folder's name
        return GitSource(path=rest)
    since, dots, newest = revision.partition("..")
    if not dots:
        return GitSource(path=path, revision=revision)
    if not since or newest.startswith("."):
        raise SourceNotFound(f"{text}: write a range of commits as git:PATH@OLD..NEW")
    return GitSource(path=path, revision=newest or "HEAD", since=since)


def open_folder(source: FolderSource) -> OpenSource:
    """A folder, or one file."""
    try:
        root = Path(source.path).expanduser().absolute()
        exists = root.exists()
    except (OSError, RuntimeError) as exc:  # an unknown ~user, a name that is too long
        raise SourceNotFound(f"{source.path!r} is not a usable path: {exc}") from exc
    if not exists:
        raise SourceNotFound(
            f"folder {source.path!r} does not exist (looked at {root}); give the path of a folder or file"
        )
    name = f"folder:{_printable(str(root))}"
    if root.is_file():
        return OpenSource(name, lambda: nullcontext([_on_disk(root, root.name)]))
    if not root.is_dir():
        raise SourceNotFound(f"{root} is neither a folder nor a regular file; give one of the two")
    return OpenSource(name, lambda: nullcontext(walk(root.resolve())))


def open_git(source: GitSource) -> OpenSource:
    """The tracked files at one revision, all or those that are new since another, read from the object store.

    Licences are listed although they did not change: they hold for the files that did.
    """
    tree = GitTree.open(source.path, source.revision)
    older = GitTree.open(source.path, source.since) if source.since is not None else None
    commits = f"{older.commit[:12]}..{tree.commit[:12]}" if older else tree.commit[:12]

    @contextmanager
    def listing() -> Iterator[Sequence[SourceFile]]:
        known = {entry.oid for entry in older.entries()} if older else set[str]()
        with tree.reader() as read_blob:
            yield [
                SourceFile(entry.path, entry.size_bytes, partial(read_blob, entry.oid))
                for entry in tree.entries()
                if (entry.oid not in known or is_licence(posixpath.basename(entry.path)))
                and not SKIPPED_FOLDERS.intersection(entry.path.split("/")[:-1])
            ]

    return OpenSource(f"git:{_printable(str(tree.folder))}@{commits}", listing)


def is_licence(name: str) -> bool:
    """Whether a file of that name holds a licence's text: `LICENSE.md`, not `licenses.py`."""
    return LICENCE_FILE.match(name) is not None and NOT_PROSE.search(name) is None


def open_completions(source: CompletionsSource) -> OpenSource:
    """One file per accepted completion: what stands around it and what was accepted."""
    path = Path(source.path).expanduser().absolute()
    texts = completion_texts(path, source.context_chars)
    files = [SourceFile(name, len(data), partial(bytes, data)) for name, data in texts]
    return OpenSource(f"completions:{_printable(str(path))}", lambda: nullcontext(files))


def open_package(source: PackageSource) -> OpenSource:
    """The files of one installed package, or of the standard library without what is installed in it."""
    if source.name == "stdlib":
        root = Path(sysconfig.get_path("stdlib")).resolve()
        return OpenSource(
            "package:stdlib", lambda: nullcontext(walk(root, INSTALLED_FOLDERS)), "stdlib"
        )
    locations = _package_locations(source.name)

    def files() -> list[SourceFile]:
        found: list[SourceFile] = []
        for location in locations:
            if location.is_file():
                found.append(_on_disk(location, location.name))
            else:
                found.extend(walk(location.resolve(), prefix=f"{source.name}/"))
        return sorted(found, key=lambda file: file.path)

    name = f"package:{source.name}"
    return OpenSource(name, lambda: nullcontext(files()), source.name)


def _package_locations(name: str) -> list[Path]:
    """Folders of a package, or the file of a module; finding them runs none of its code."""
    if not name.isidentifier():
        raise SourceNotFound(
            f"package {name!r}: expected the import name of a top-level package such as `requests`; "
            "to read a part of it, add filters.include"
        )
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        raise SourceNotFound(
            f"package {name!r} is not installed in {sys.prefix}; install it there, "
            "or name the standard library with `stdlib`"
        )
    if spec.submodule_search_locations is not None:
        return sorted(Path(location) for location in spec.submodule_search_locations)
    if spec.origin and Path(spec.origin).suffix == ".py" and Path(spec.origin).is_file():
        return [Path(spec.origin)]
    raise SourceNotFound(
        f"package {name!r} has no source files here: it is {spec.origin or 'empty'}"
    )


def walk(
    root: Path, also_skipped: frozenset[str] = frozenset(), prefix: str = ""
) -> list[SourceFile]:
    """Regular files under a folder in order of path, without leaving it."""
    found: list[SourceFile] = []
    pending = [str(root)]
    while pending:
        folder = pending.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as exc:
            found.append(_unlistable(folder, root, exc))
            continue
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                found.extend(_file_of(entry, root))
            elif entry.name not in SKIPPED_FOLDERS | also_skipped and not _is_virtualenv(
                entry.path
            ):
                pending.append(entry.path)
    found = [SourceFile(prefix + file.path, file.size_bytes, file.read) for file in found]
    return sorted(found, key=lambda file: file.path)


def _file_of(entry: os.DirEntry[str], root: Path) -> list[SourceFile]:
    """A regular file; a link is left to its target when that lies in the folder, else reported."""
    relative = _relative(entry.path, root)
    if entry.is_symlink():
        target = Path(os.path.realpath(entry.path))
        if target.is_relative_to(root):
            return []
        return [SourceFile(relative, 0, _refuse("a symbolic link to outside the folder"))]
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as exc:
        return [SourceFile(relative, 0, _refuse(exc.strerror or "cannot be read"))]
    if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
        return []
    return [SourceFile(relative, status.st_size, Path(entry.path).read_bytes)]


def _unlistable(folder: str, root: Path, exc: OSError) -> SourceFile:
    return SourceFile(_relative(folder, root) + "/", 0, _refuse(exc.strerror or "cannot be listed"))


def _refuse(reason: str) -> Callable[[], bytes]:
    def read() -> bytes:
        raise OSError(reason)

    return read


def _on_disk(path: Path, name: str) -> SourceFile:
    return SourceFile(_printable(name), path.stat().st_size, path.read_bytes)


def _relative(path: str, root: Path) -> str:
    return _printable(os.path.relpath(path, root).replace(os.sep, "/"))


def _printable(path: str) -> str:
    """A name that is valid UTF-8, whatever bytes the file system holds."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _is_virtualenv(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, "pyvenv.cfg"))
