"""Ruff as a process of its own: texts in, its verdicts out, whatever happens to it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ruff import find_ruff_bin

logger = logging.getLogger(__name__)

_TIMEOUT_S, _TIMEOUT_S_PER_MB = 30.0, 10.0
_MAX_RUNS = 40
"""A file that ends ruff is found by halving; this many runs find two or three among thousands."""


@dataclass(frozen=True)
class Verdict:
    """One diagnostic; rows and columns from 1, in characters, as ruff counts them."""

    code: str
    message: str
    start: tuple[int, int]
    end: tuple[int, int]
    fix: FixVerdict | None = None


@dataclass(frozen=True)
class FixVerdict:
    """A fix that does not change what the program does."""

    description: str
    edits: tuple[tuple[tuple[int, int], tuple[int, int], str], ...]


class RuffFailed(Exception):
    """Ruff gave no verdicts; the message says why."""

    def __init__(self, message: str, *, may_be_one_file: bool = True) -> None:
        super().__init__(message)
        self.may_be_one_file = may_be_one_file
        """Whether fewer files could go better."""


def verdicts_of(
    texts: Mapping[str, str], codes: Sequence[str]
) -> Iterator[tuple[str, list[Verdict] | RuffFailed]]:
    """Path and verdicts of every text that has some, or why there are none for it.

    One process reads all; when it dies, halves are tried until the text that ends it stands alone.
    """
    waiting, num_runs = [list(texts)], 0
    while waiting:
        paths = waiting.pop()
        num_runs += 1
        try:
            found = _run({path: texts[path] for path in paths}, codes)
        except RuffFailed as failure:
            logger.info("ruff failed", extra={"files": len(paths), "reason": str(failure)})
            is_last = len(paths) == 1 or num_runs + len(waiting) >= _MAX_RUNS
            if is_last or not failure.may_be_one_file:
                yield from ((path, failure) for path in paths)
            else:
                middle = len(paths) // 2
                waiting += [paths[middle:], paths[:middle]]
            continue
        yield from found.items()


def _run(texts: Mapping[str, str], codes: Sequence[str]) -> dict[str, list[Verdict]]:
    with tempfile.TemporaryDirectory(prefix="nested-ray-ruff-") as folder:
        root = Path(folder).resolve()  # ruff prints resolved names
        paths = dict(_write(root, texts))
        size_mb = sum(map(len, texts.values())) / 1e6
        output = _output(root, codes, timeout_s=_TIMEOUT_S + _TIMEOUT_S_PER_MB * size_mb)
    return _parse(output, paths)


def _write(root: Path, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each text under a name that no path of the user's can disturb; (name, path) of all."""
    for number, (path, text) in enumerate(texts.items()):
        # `__init__.py` and stubs have rules of their own, other names mean nothing.
        name = PurePosixPath(path).name
        file = root / (f"f{number}.pyi" if name.endswith(".pyi") else f"f{number}.py")
        if name == "__init__.py":
            file = root / f"f{number}" / name
            file.parent.mkdir()
        # A lone surrogate becomes one `?`: columns are counted in characters.
        file.write_bytes(text.encode("utf-8", "replace"))
        yield str(file), path


def _output(root: Path, codes: Sequence[str], *, timeout_s: float) -> bytes:
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    command = [
        *(find_ruff_bin(), "check", "--isolated", "--no-cache", "--quiet", "--exit-zero"),
        *("--output-format", "json", "--target-version", version),
        *("--select", ",".join(codes), "--config", "exclude=[]", "--no-respect-gitignore"),
        *("--no-fix", str(root)),
    ]
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        reason = f"ruff did not end within {timeout_s:.0f} s"
        raise RuffFailed(reason, may_be_one_file=False) from error
    except OSError as error:
        raise RuffFailed(f"ruff did not start: {error}", may_be_one_file=False) from error
    if done.returncode != 0:
        reason = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise RuffFailed(f"ruff ended with code {done.returncode}: {reason or 'no message'}")
    return done.stdout


def _parse(output: bytes, paths: Mapping[str, str]) -> dict[str, list[Verdict]]:
    found: dict[str, list[Verdict]] = {}
    try:
        for entry in json.loads(output or b"[]"):
            verdicts = found.setdefault(paths[entry["filename"]], [])
            verdicts.append(
                Verdict(
                    code=entry["code"] or "invalid-syntax",
                    message=entry["message"],
                    start=_position(entry["location"]),
                    end=_position(entry["end_location"]),
                    fix=_fix(entry["fix"]),
                )
            )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"ruff's output is not what was expected: {error!r}"
        raise RuffFailed(reason, may_be_one_file=False) from error
    return found


def _position(location: Mapping[str, int]) -> tuple[int, int]:
    return int(location["row"]), int(location["column"])


def _fix(fix: Mapping | None) -> FixVerdict | None:
    if fix is None or fix["applicability"] != "safe":
        return None
    edits = tuple(
        (_position(edit["location"]), _position(edit["end_location"]), str(edit["content"]))
        for edit in fix["edits"]
    )
    return FixVerdict(str(fix["message"]), edits)
