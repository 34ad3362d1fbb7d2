"""A git repository at one revision, read from its object store without a checkout."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nested_ray.errors import CorpusError, SourceNotFound

REGULAR_FILE_MODES = ("100644", "100755", "100664")


@dataclass(frozen=True)
class TreeEntry:
    """One tracked regular file."""

    path: str
    oid: str
    size_bytes: int


@dataclass(frozen=True)
class GitTree:
    """The tracked files under a folder of a repository, as of one commit."""

    folder: Path
    commit: str

    @classmethod
    def open(cls, path: str, revision: str) -> GitTree:
        """Resolve the revision; raises SourceNotFound for no git, no repository, no such revision."""
        folder = Path(path).expanduser().absolute()
        if not folder.is_dir():
            raise SourceNotFound(
                f"git repository {path!r}: {folder} is not a folder; give the path of a local clone"
            )
        asked = _run(folder, "rev-parse", "--git-dir")
        if asked.returncode:
            raise SourceNotFound(
                f"{folder} is not a git repository ({_reason(asked)}); "
                "give the path of a local clone, or read it as a folder"
            )
        # A leading dash would be read as an option.
        found = None if revision.startswith("-") else _run(
            folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"
        )  # fmt: skip
        if found is None or found.returncode:
            raise SourceNotFound(_unknown_revision(folder, revision))
        return cls(folder, found.stdout.decode().strip())

    def entries(self) -> Iterator[TreeEntry]:
        """Regular files in order of path; links and submodules are left out."""
        listing = _run(self.folder, "ls-tree", "-r", "-l", "-z", self.commit)
        if listing.returncode:
            raise CorpusError(f"cannot list {self.folder} at {self.commit}: {_reason(listing)}")
        entries = []
        for line in listing.stdout.split(b"\0"):
            fields, _, path = line.partition(b"\t")
            if fields and fields.split()[0].decode() in REGULAR_FILE_MODES:
                _, _, oid, size = fields.decode().split()
                # "-" is the size of an object that this clone does not hold.
                size_bytes = int(size) if size.isdigit() else 0
                entries.append(TreeEntry(path.decode("utf-8", "backslashreplace"), oid, size_bytes))
        return iter(sorted(entries, key=lambda entry: entry.path))

    def staged(self) -> list[TreeEntry]:
        """The regular files of the index, what the next commit will hold, in order of path."""
        listing = _run(self.folder, "ls-files", "--stage", "-z", index=self._commits_index())
        if listing.returncode:
            raise CorpusError(f"cannot read the index of {self.folder}: {_reason(listing)}")
        found: list[tuple[str, str]] = []
        for line in listing.stdout.split(b"\0"):
            fields, _, path = line.partition(b"\t")
            if fields and fields.split()[0].decode() in REGULAR_FILE_MODES:
                _, oid, _stage = fields.decode().split()
                found.append((path.decode("utf-8", "backslashreplace"), oid))
        sizes = self._sizes([oid for _, oid in found])
        # A file in conflict stands there once per side; the last one, theirs, is kept.
        entries = {path: TreeEntry(path, oid, sizes.get(oid, 0)) for path, oid in found}
        return sorted(entries.values(), key=lambda entry: entry.path)

    def _commits_index(self) -> str | None:
        """The index git names to its hooks: `git commit -a` prepares another one than the folder's."""
        named = os.environ.get("GIT_INDEX_FILE")
        if named is None:
            return None
        git_dir = _run(self.folder, "rev-parse", "--absolute-git-dir").stdout.decode().strip()
        index = (self.folder / named).resolve()
        return str(index) if git_dir and index.is_relative_to(Path(git_dir).resolve()) else None

    def merge_base(self, other: GitTree) -> GitTree:
        """The newest commit that both descend from; raises SourceNotFound when there is none."""
        asked = _run(self.folder, "merge-base", self.commit, other.commit)
        if asked.returncode:
            raise SourceNotFound(
                f"{self.commit[:12]} and {other.commit[:12]} have no common commit in {self.folder}; "
                "in a shallow clone fetch more history (`git fetch --unshallow`)"
            )
        return GitTree(self.folder, asked.stdout.decode().strip())

    def _sizes(self, oids: list[str]) -> dict[str, int]:
        asked = subprocess.run(
            git_command(self.folder, "cat-file", "--batch-check=%(objectname) %(objectsize)"),
            input="".join(f"{oid}\n" for oid in oids).encode(),
            capture_output=True,
            env=git_environment(),
            check=False,
        )
        rows = (line.split() for line in asked.stdout.decode("utf-8", "replace").splitlines())
        return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}

    @contextmanager
    def reader(self) -> Iterator[Callable[[str], bytes]]:
        """A function from object id to bytes, answered by one process for all objects."""
        process = subprocess.Popen(
            git_command(self.folder, "cat-file", "--batch"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=git_environment(),
        )
        assert process.stdin and process.stdout
        try:
            requests, answers = process.stdin, process.stdout
            yield lambda oid: _read_object(requests, answers, oid)
        finally:
            with suppress(OSError):  # git may have ended already
                process.stdin.close()
            process.stdout.close()
            process.wait()


def _read_object(requests: IO[bytes], answers: IO[bytes], oid: str) -> bytes:
    requests.write(oid.encode() + b"\n")
    requests.flush()
    header = answers.readline().split()
    if len(header) != 3:  # "<oid> missing", or nothing when git ended
        raise OSError("the object is missing from this clone; fetch it first")
    size = int(header[2])
    data = answers.read(size + 1)
    if len(data) != size + 1:
        raise OSError("git ended while the object was read")
    return data[:-1]


def _unknown_revision(folder: Path, revision: str) -> str:
    listed = _run(folder, "for-each-ref", "--format=%(refname:short)", "--count=8")
    names = listed.stdout.decode("utf-8", "replace").split()
    if not names:
        return f"{folder} has no commits yet; commit the code, or read it as a folder"
    return (
        f"revision {revision!r} is not in {folder}; it has {', '.join(names)} "
        "(a shallow clone may lack older commits)"
    )


def _run(
    folder: Path, *arguments: str, index: str | None = None
) -> subprocess.CompletedProcess[bytes]:
    environment = git_environment() | ({"GIT_INDEX_FILE": index} if index else {})
    try:
        return subprocess.run(
            git_command(folder, *arguments), capture_output=True, env=environment, check=False
        )
    except FileNotFoundError as exc:
        raise SourceNotFound(
            "git is not installed, so a git source cannot be read; install git, or read a folder"
        ) from exc


def git_command(folder: Path, *arguments: str) -> list[str]:
    """A call of git that starts no program a repository's own settings name; for git_environment."""
    return [
        "git",
        "--no-optional-locks",
        "-c",
        "core.fsmonitor=false",
        "-C",
        str(folder),
        *arguments,
    ]


def git_environment() -> dict[str, str]:
    """The process's own environment, without what would point git elsewhere or make it wait or download."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
    }
    return kept | {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}


def _reason(finished: subprocess.CompletedProcess[bytes]) -> str:
    lines = finished.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else f"git exited with {finished.returncode}"
