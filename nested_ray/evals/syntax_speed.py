"""Speed of checking, of cutting into tokens, and of judging a completion in place."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import thread_time

from nested_ray.evals.timing import interleaved, quantile
from nested_ray.languages import Language
from nested_ray.repository.base import SourceFile

_MAX_TIMED_BYTES = 4_000_000
_MODULE_LINES = 2_000
_NUM_PLACES = 100
_GRAMMARS = {"python": "tree_sitter_python", "bsl": "tree_sitter_bsl"}


@dataclass(frozen=True)
class Speed:
    """Megabytes of UTF-8 per second of processor time, median of interleaved rounds."""

    num_bytes: int
    mb_per_s: dict[str, float]
    """`check`, `tokens`, and `tree-sitter` where its grammar is installed."""
    clean_share: float | None
    """Share of the files that tree-sitter parses without an error node; None without its grammar."""


@dataclass(frozen=True)
class Insertion:
    """Milliseconds of processor time to check a line put into a module at random places."""

    num_lines: int
    num_places: int
    median_ms: float
    p95_ms: float
    max_ms: float
    whole_ms: float
    """What checking the whole module takes (median)."""
    first_ms: float
    """The first question about a module, before anything is known of it."""


def measure_speed(language: Language, files: Sequence[SourceFile]) -> Speed:
    """On as many files as make up a few megabytes."""
    chosen: list[str] = []
    num_bytes = 0
    for file in files:
        if num_bytes > _MAX_TIMED_BYTES:
            break
        chosen.append(file.text)
        num_bytes += len(file.text.encode())
    ways: dict[str, Callable[[], object]] = {
        "check": lambda: [language.check(text) for text in chosen],
        "tokens": lambda: [language.tokens(text) for text in chosen],
    }
    parse = _tree_sitter(language)
    clean = None
    if parse is not None:
        sources = [text.encode() for text in chosen]
        ways["tree-sitter"] = lambda: [parse(source) for source in sources]
        whole = [parse(file.text.encode()) for file in files]
        clean = sum(not has_error for has_error in whole) / max(len(whole), 1)
    seconds = interleaved(ways)
    return Speed(num_bytes, {name: num_bytes / 1e6 / each for name, each in seconds.items()}, clean)


def _tree_sitter(language: Language) -> Callable[[bytes], bool] | None:
    """Parses and says whether the tree has an error; None when the grammar is not installed."""
    from tree_sitter import Language as Grammar
    from tree_sitter import Parser

    try:
        grammar = importlib.import_module(_GRAMMARS[language.name])
    except (KeyError, ImportError):
        return None
    parser = Parser(Grammar(grammar.language()))
    return lambda source: parser.parse(source).root_node.has_error


def measure_insertions(
    language: Language, files: Sequence[SourceFile], *, seed: int
) -> Insertion | None:
    """Lines of a long module taken out and put back at random places, as a completion would stand there.

    The module is the valid file with the number of lines nearest to 2,000.
    """
    if not files:
        return None
    text = min(files, key=lambda file: abs(file.text.count("\n") - _MODULE_LINES)).text
    lines = text.splitlines(keepends=True)
    places = [i for i, line in enumerate(lines) if line.strip()]
    chosen = random.Random(seed).choices(places, k=_NUM_PLACES)
    times: list[float] = []
    for place in chosen:
        prefix, suffix = "".join(lines[:place]), "".join(lines[place + 1 :])
        for insert in (lines[place], lines[place].rstrip("\n") + ")\n"):
            started = thread_time()
            language.check_insert(prefix, insert, suffix)
            times.append((thread_time() - started) * 1000)
    whole = interleaved({"check": lambda: language.check(text)})["check"] * 1000
    known = times[1:]
    return Insertion(
        len(lines),
        len(chosen),
        quantile(known, 0.5),
        quantile(known, 0.95),
        max(known),
        whole,
        times[0],
    )
