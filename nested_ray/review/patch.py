"""Unified diffs: read exactly, applied forwards and backwards, refused with the line that is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from nested_ray.errors import InvalidRequest

MAX_PATCH_CHARS = 100_000_000
_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_ESCAPE = re.compile(r'\\([abfnrtv"\\]|[0-7]{1,3})')
_LETTERS = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, '"': 34, "\\": 92}
NO_FILE = "/dev/null"


@dataclass(frozen=True)
class Hunk:
    """Lines that are replaced by others; every line keeps its end."""

    old_start: int
    """Number of its first old line, from 1; with no old lines, of the line before."""
    old: tuple[str, ...]
    new_start: int
    new: tuple[str, ...]


@dataclass(frozen=True)
class FilePatch:
    """What a diff does to one file."""

    old_path: str | None
    """None for a file that is added."""
    new_path: str | None
    """None for a file that is deleted."""
    hunks: tuple[Hunk, ...] = ()

    @property
    def path(self) -> str:
        return self.new_path or self.old_path or ""

    def apply(self, text: str) -> str | None:
        """The new text; None when this is not the old one."""
        return _replaced(text, [(hunk.old_start, hunk.old, hunk.new) for hunk in self.hunks])

    def revert(self, text: str) -> str | None:
        """The old text; None when this is not the new one."""
        return _replaced(text, [(hunk.new_start, hunk.new, hunk.old) for hunk in self.hunks])


def _replaced(
    text: str, hunks: Sequence[tuple[int, tuple[str, ...], tuple[str, ...]]]
) -> str | None:
    lines = text.split("\n")
    ended = [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    result: list[str] = []
    position = 0
    for start, found, put in hunks:
        begin = start - 1 if found else start
        if begin < position or tuple(ended[begin : begin + len(found)]) != found:
            return None
        result += ended[position:begin]
        result += put
        position = begin + len(found)
    return "".join(result + ended[position:])


@dataclass
class _Draft:
    old_path: str | None = None
    new_path: str | None = None
    hunks: list[Hunk] = field(default_factory=list)

    def finished(self) -> FilePatch:
        return FilePatch(self.old_path, self.new_path, tuple(self.hunks))


def parse_patch(text: str) -> list[FilePatch]:
    """The files of a unified diff as git, hg, svn or diff -u write it; anything between them is skipped.

    Raises InvalidRequest for a hunk that does not hold the lines it announces, and for a text
    without any file header.
    """
    if len(text) > MAX_PATCH_CHARS:
        raise InvalidRequest(f"the diff is longer than {MAX_PATCH_CHARS:,} characters; split it")
    lines = text.replace("\r\n", "\n").split("\n")
    if not lines[-1]:
        lines.pop()
    return _Parser(lines).parse()


class _Parser:
    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._at = 0
        self._drafts: list[_Draft] = []

    def parse(self) -> list[FilePatch]:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if line.startswith("diff --git "):
                self._drafts.append(_Draft(*_git_paths(line)))
            elif line.startswith("--- ") and self._next().startswith("+++ "):
                self._read_paths(line)
            elif line.startswith("@@ "):
                self._read_hunk(line)
            elif self._drafts:
                self._read_header(line)
        found = [draft.finished() for draft in self._drafts]
        if not found and any(line.strip() for line in self._lines):
            raise InvalidRequest(
                "no unified diff was found in the input; give the output of `git diff`, "
                "or the text of one file with --stdin-filename NAME"
            )
        return [patch for patch in found if patch.path]

    def _next(self) -> str:
        return self._lines[self._at] if self._at < len(self._lines) else ""

    def _read_paths(self, line: str) -> None:
        """`--- a/x` and `+++ b/x`; they open a file unless git's own header has just done so."""
        old, new = _path_of(line[4:]), _path_of(self._next()[4:])
        self._at += 1
        if old is not None and new is not None and old.startswith("a/") and new.startswith("b/"):
            old, new = old[2:], new[2:]
        elif old is None and new is not None:
            new = new.removeprefix("b/")
        elif new is None and old is not None:
            old = old.removeprefix("a/")
        if not self._drafts or self._drafts[-1].hunks or not self._is_after_git_header():
            self._drafts.append(_Draft())
        self._drafts[-1].old_path, self._drafts[-1].new_path = old, new

    def _is_after_git_header(self) -> bool:
        """Whether only git's own header lines stand between the last `diff --git` and here."""
        for number in range(self._at - 3, max(self._at - 16, -1), -1):
            if self._lines[number].startswith("diff --git "):
                return True
        return False

    def _read_header(self, line: str) -> None:
        draft = self._drafts[-1]
        if draft.hunks:
            return
        for prefix in ("rename from ", "copy from "):
            if line.startswith(prefix):
                draft.old_path = _path_of(line.removeprefix(prefix))
        for prefix in ("rename to ", "copy to "):
            if line.startswith(prefix):
                draft.new_path = _path_of(line.removeprefix(prefix))
        if line.startswith("new file mode"):
            draft.old_path = None
        elif line.startswith("deleted file mode"):
            draft.new_path = None

    def _read_hunk(self, header: str) -> None:
        number = self._at
        match = _HUNK.match(header)
        if match is None or not self._drafts:
            raise InvalidRequest(f"line {number} of the diff is no hunk header: {header[:80]!r}")
        old_start, num_old, new_start, num_new = (
            1 if group is None else int(group) for group in match.groups()
        )
        old: list[str] = []
        new: list[str] = []
        while len(old) < num_old or len(new) < num_new:
            self._read_line(old, new, number)
        while self._next().startswith("\\"):
            self._read_line(old, new, number)
        if len(old) != num_old or len(new) != num_new:
            raise InvalidRequest(f"the hunk at line {number} of the diff does not add up")
        for side, start in ((old, old_start), (new, new_start)):
            if side and start == 1:  # texts are held without the mark of their encoding
                side[0] = side[0].removeprefix("\ufeff")
        hunk = Hunk(old_start, tuple(old), new_start, tuple(new))
        self._drafts[-1].hunks.append(hunk)

    def _read_line(self, old: list[str], new: list[str], hunk: int) -> None:
        if self._at >= len(self._lines):
            raise InvalidRequest(f"the diff ends inside the hunk at line {hunk}")
        line = self._lines[self._at]
        self._at += 1
        mark, content = line[:1], line[1:] + "\n"
        if mark == "\\":  # the line before has no end, on the side or sides it stands on
            last = self._lines[self._at - 2][:1]
            for side, marks in ((old, "- "), (new, "+ ")):
                if last in marks and side:
                    side[-1] = side[-1].removesuffix("\n")
            return
        if mark not in ("", " ", "-", "+"):
            raise InvalidRequest(
                f"line {self._at} of the diff does not belong to a hunk: {line[:80]!r}"
            )
        if mark != "+":
            old.append(content)
        if mark != "-":
            new.append(content)


def _git_paths(line: str) -> tuple[str | None, str | None]:
    """The paths of `diff --git a/x b/x`, as far as they are clear: equal, or quoted."""
    rest = line.removeprefix("diff --git ").rstrip()
    if rest.startswith('"'):
        end = re.search(r'(?<!\\)(?:\\\\)*"', rest[1:])
        first, second = (rest[: end.end() + 1], rest[end.end() + 2 :]) if end else (rest, "")
    else:
        middle = len(rest) // 2
        first, second = rest[:middle], rest[middle + 1 :]
    old, new = _path_of(first), _path_of(second)
    if old and new and old.startswith("a/") and new.startswith("b/"):
        return old[2:], new[2:]
    return None, None


def _path_of(text: str) -> str | None:
    """A path as a header writes it: quoted, or up to a tab; None for /dev/null."""
    text = text.rstrip("\r\n")
    if text.startswith('"'):
        end = text.rfind('"')
        return unquote(text[1:end] if end > 0 else text[1:])
    path = text.partition("\t")[0].rstrip()
    return None if path == NO_FILE else path


def unquote(text: str) -> str:
    """A path as git quotes it: `\\320\\277` are bytes of UTF-8."""
    data = bytearray()
    position = 0
    for match in _ESCAPE.finditer(text):
        data += text[position : match.start()].encode("utf-8", "surrogatepass")
        code = match[1]
        data.append(_LETTERS[code] if code in _LETTERS else int(code, 8) & 0xFF)
        position = match.end()
    data += text[position:].encode("utf-8", "surrogatepass")
    return data.decode("utf-8", "backslashreplace")
