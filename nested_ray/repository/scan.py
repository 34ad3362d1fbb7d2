"""A folder as it lies, or at a git revision → its source files, its metadata, and what was skipped."""

from __future__ import annotations

import posixpath
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pathspec

from nested_ray.config.corpus import FilterConfig, FolderSource, GitSource
from nested_ray.corpus.filters import PathFilter, Refusal, decode
from nested_ray.corpus.git import git_command, git_environment
from nested_ray.corpus.sources import SKIPPED_FOLDERS, open_source
from nested_ray.corpus.sources import SourceFile as ListedFile
from nested_ray.languages import language_of
from nested_ray.repository.base import SourceFile
from nested_ray.repository.metadata import MetadataText
from nested_ray.repository.metadata_paths import is_metadata_path

MAX_FILE_BYTES = 5_000_000
"""Larger than any module people write; 1C's own library stays below a third of it."""
GIT_TIMEOUT_S = 60

ListingOf = Callable[[], Sequence[ListedFile]]


@dataclass(frozen=True)
class Skipped:
    """A file of a known language that was not read, and why."""

    path: str
    reason: str
    """One of `corpus.documents.REASONS`."""
    detail: str = ""


@dataclass(frozen=True)
class Scan:
    """What a folder holds; every list is in order of path."""

    files: list[SourceFile] = field(default_factory=list)
    metadata: list[MetadataText] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def scan_folder(
    root: Path | str,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    revision: str | None = None,
) -> list[SourceFile]:
    """The source files of `scan`."""
    return scan(root, include=include, exclude=exclude, revision=revision).files


def scan(
    root: Path | str,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    revision: str | None = None,
    max_file_bytes: int = MAX_FILE_BYTES,
    on_file: Callable[[int, str], None] | None = None,
) -> Scan:
    """Read the working tree, or the tracked files at a git revision.

    What .gitignore names is left out, and the patterns are written as there. Generated files and
    duplicates stay: they are part of the code base, whether or not they should be learnt from.
    Raises SourceNotFound for a folder or revision that is not there, ConfigError for a bad pattern.
    """
    found = Scan()
    wanted = PathFilter(FilterConfig(include=tuple(include), exclude=tuple(exclude)))
    with listing(Path(root).expanduser(), revision) as files:
        for number, file in enumerate(files, start=1):
            if on_file is not None:
                on_file(number, file.path)
            if wanted.refuse(file.path) is None:
                read_into(found, file, max_file_bytes)
    return found


def read_into(found: Scan, file: ListedFile, max_file_bytes: int) -> None:
    """Put one file where it belongs; files of no known language are passed over."""
    language = _language_of(file)
    is_metadata = language is None and is_metadata_path(file.path)
    if language is None and not is_metadata:
        return
    text = _text_of(file, language or "xml", max_file_bytes)
    if isinstance(text, Refusal):
        found.skipped.append(Skipped(file.path, text.reason, text.detail))
    elif language is not None:
        found.files.append(SourceFile(file.path, language, text))
    else:
        found.metadata.append(MetadataText(file.path, text))


def _language_of(file: ListedFile) -> str | None:
    """By the file's name; a script without extension is asked for its first line."""
    language = language_of(file.path)
    if language is None and "." not in posixpath.basename(file.path.rstrip("/")):
        if 0 < file.size_bytes <= FilterConfig().max_file_bytes:
            try:
                first_line = file.read().partition(b"\n")[0].decode("utf-8", "replace")
            except OSError:
                return None
            language = language_of(file.path, first_line)
    return language.name if language else None


def _text_of(file: ListedFile, language: str, max_file_bytes: int) -> str | Refusal:
    if file.size_bytes > max_file_bytes:
        return Refusal("size", f"{file.size_bytes:,} bytes, more than {max_file_bytes:,}")
    try:
        return decode(file.read(), language)
    except OSError as exc:
        return Refusal("unreadable", exc.strerror or str(exc))


@contextmanager
def listing(root: Path, revision: str | None) -> Iterator[Iterable[ListedFile]]:
    """The files of a folder or revision, without what is ignored."""
    if revision is not None:
        with open_source(GitSource(path=str(root), revision=revision)).listing() as files:
            yield files
        return
    tracked = git_listing(root) if root.is_dir() else None
    if tracked is not None:
        yield tracked
        return
    with open_source(FolderSource(path=str(root))).listing() as files:
        yield without_ignored(files)


def git_listing(root: Path) -> list[ListedFile] | None:
    """Tracked files and new ones that git does not ignore; None when git cannot tell."""
    inside = _git(root, "check-ignore", "-q", "--no-index", ".")
    # 0: the whole folder is ignored, and asking for it means reading it; 1: it is not.
    if inside is None or inside.returncode != 1:
        return None
    asked = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if asked is None or asked.returncode:
        return None
    names = {name for name in asked.stdout.decode("utf-8", "surrogateescape").split("\0") if name}
    return [file for name in sorted(names) for file in _on_disk(root, name)]


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes] | None:
    try:
        return subprocess.run(
            git_command(root, *arguments),
            capture_output=True,
            env=git_environment(),
            check=False,
            timeout=GIT_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _on_disk(root: Path, name: str) -> Iterator[ListedFile]:
    """The file, when it is a regular one: no link, submodule or file deleted since."""
    if SKIPPED_FOLDERS.intersection(name.split("/")[:-1]):
        return
    path = root / name
    try:
        status = path.lstat()
    except (OSError, ValueError):
        return
    if stat.S_ISREG(status.st_mode):
        shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        yield ListedFile(shown, status.st_size, path.read_bytes)


def without_ignored(files: Sequence[ListedFile]) -> list[ListedFile]:
    """Files that the .gitignore files among them do not name; the nearest one decides."""
    specs: dict[str, pathspec.GitIgnoreSpec] = {}
    for file in files:
        folder, name = posixpath.split(file.path)
        if name == ".gitignore" and file.size_bytes <= FilterConfig().max_file_bytes:
            specs.update(_read_ignore(folder, file))
    return [file for file in files if not _is_ignored(file.path, specs)] if specs else list(files)


def _read_ignore(folder: str, file: ListedFile) -> dict[str, pathspec.GitIgnoreSpec]:
    try:
        lines = file.read().decode("utf-8", "replace").splitlines()
        return {folder: pathspec.GitIgnoreSpec.from_lines(lines)}
    except (OSError, ValueError):
        return {}


def _is_ignored(path: str, specs: dict[str, pathspec.GitIgnoreSpec]) -> bool:
    folder = posixpath.dirname(path)
    while True:
        if spec := specs.get(folder):
            relative = path[len(folder) + 1 :] if folder else path
            decided = spec.check_file(relative).include
            if decided is not None:
                return decided
        if not folder:
            return False
        folder = posixpath.dirname(folder)
