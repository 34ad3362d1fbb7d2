"""How well the syntax level proves: false alarms, changed texts found and repaired, speed."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import thread_time

from nested_ray.analyzers.syntax import repair
from nested_ray.analyzers.syntax.characters import find_suspicious
from nested_ray.evals.bsl_judge import stays_valid
from nested_ray.evals.mutations import KINDS, Mutation, mutations
from nested_ray.evals.syntax_speed import Insertion, Speed, measure_insertions, measure_speed
from nested_ray.languages import Language, SyntaxIssue, get_language
from nested_ray.languages.base import TokenKind
from nested_ray.repository.base import SourceFile

OnProgress = Callable[[str, int, int], None]
"""Stage, how many are done, of how many."""

_MIN_MUTATED_CHARS, _MAX_MUTATED_CHARS = 300, 60_000
_PER_FILE = len(KINDS)


@dataclass
class KindCounts:
    """What became of the changed texts of one kind."""

    num_made: int = 0
    num_broken: int = 0
    """Those that the judge calls invalid; the rest is left out of what follows."""
    num_found: int = 0
    num_placed: int = 0
    """Found within one token of the change."""
    num_false: int = 0
    """Called invalid while the judge calls them valid."""
    num_asked: int = 0
    """Those that a repair was asked for."""
    num_repaired: int = 0
    """The first repair parses."""
    num_restored: int = 0
    """The first repair is the original, token for token."""
    num_among: int = 0
    """One of the first five is."""


@dataclass
class SyntaxReport:
    """Everything measured for one language."""

    language: str
    num_files: int
    num_chars: int
    false_alarms: list[str] = field(default_factory=list)
    """`path: message` of files taken to be valid that `check` refuses."""
    num_suspicious: int = 0
    """Deceiving characters reported in them."""
    kinds: dict[str, KindCounts] = field(default_factory=dict)
    repair_seconds: list[float] = field(default_factory=list)
    speed: Speed | None = None
    insertion: Insertion | None = None
    judge: str = ""


def measure_syntax(
    files: Sequence[SourceFile],
    *,
    num_mutations: int,
    num_repairs: int,
    seed: int,
    on_progress: OnProgress,
) -> SyntaxReport:
    """Measure one language on files that are taken to be valid; all must be of that language."""
    language = get_language(files[0].language)
    report = SyntaxReport(language.name, len(files), sum(len(file.text) for file in files))
    valid = _false_alarms(language, files, report, on_progress)
    report.judge = "CPython" if language.name == "python" else "a second parser"
    report.kinds = {kind: KindCounts() for kind in KINDS}
    _mutate(language, valid, report, num_mutations, num_repairs, seed, on_progress)
    on_progress("speed", 0, 1)
    report.speed = measure_speed(language, valid)
    report.insertion = measure_insertions(language, valid, seed=seed)
    return report


def _false_alarms(
    language: Language, files: Sequence[SourceFile], report: SyntaxReport, on_progress: OnProgress
) -> list[SourceFile]:
    """The files that parse; the others are noted."""
    valid: list[SourceFile] = []
    for number, file in enumerate(files):
        on_progress("false alarms", number, len(files))
        issue = language.check(file.text)
        report.num_suspicious += len(find_suspicious(language, file.text))
        if issue is None:
            valid.append(file)
        else:
            line = file.text.count("\n", 0, issue.span.start) + 1
            report.false_alarms.append(f"{file.path}:{line}: {issue.message}")
    return valid


def _mutate(
    language: Language,
    files: Sequence[SourceFile],
    report: SyntaxReport,
    num_mutations: int,
    num_repairs: int,
    seed: int,
    on_progress: OnProgress,
) -> None:
    repair_every = max(num_mutations // num_repairs, 1) if num_repairs else 0
    made = _changed_texts(language, files, num_mutations, seed)
    for number, (file, mutation) in enumerate(made):
        on_progress("changed texts", number, num_mutations)
        counts = report.kinds[mutation.kind]
        counts.num_made += 1
        issue = language.check(mutation.text)
        if _is_valid(language, mutation.text, issue):
            counts.num_false += issue is not None
            continue
        counts.num_broken += 1
        if issue is None:
            continue
        counts.num_found += 1
        counts.num_placed += is_placed(language, mutation, issue)
        # Repairs are asked for of whole rounds of the kinds, so that each gets its share.
        if repair_every and (number // _PER_FILE) % repair_every == 0:
            _ask_for_repair(language, file, mutation, issue, report)


def _changed_texts(
    language: Language, files: Sequence[SourceFile], num_mutations: int, seed: int
) -> Iterator[tuple[SourceFile, Mutation]]:
    fitting = [f for f in files if _MIN_MUTATED_CHARS <= len(f.text) <= _MAX_MUTATED_CHARS]
    randomness = random.Random(seed)
    num_made = 0
    while fitting and num_made < num_mutations:
        file = randomness.choice(fitting)
        number = randomness.randrange(2**31)
        for mutation in mutations(language, file.text, seed=number, count=_PER_FILE):
            num_made += 1
            yield file, mutation


def _is_valid(language: Language, text: str, issue: SyntaxIssue | None) -> bool:
    """What the judge says. Python's checker is CPython itself, so there it is its own judge."""
    return issue is None if language.name == "python" else stays_valid(text)


def is_placed(language: Language, mutation: Mutation, issue: SyntaxIssue) -> bool:
    """Whether the issue begins at most one token before or after what was changed."""
    ends = [t.span.end for t in language.tokens(mutation.text) if t.kind is not TokenKind.COMMENT]
    first = bisect_right(ends, mutation.offset)
    last = max(bisect_right(ends, mutation.end - 1), first)
    return first - 1 <= bisect_right(ends, issue.span.start) <= last + 1


def _ask_for_repair(
    language: Language,
    file: SourceFile,
    mutation: Mutation,
    issue: SyntaxIssue,
    report: SyntaxReport,
) -> None:
    counts = report.kinds[mutation.kind]
    counts.num_asked += 1
    started = thread_time()
    repairs = repair(language, mutation.text, issue)
    report.repair_seconds.append(thread_time() - started)
    if not repairs:
        return
    original = _words(language, file.text)
    restored = [
        _words(language, each.as_fix().apply(mutation.text)) == original for each in repairs
    ]
    counts.num_repaired += language.check(repairs[0].as_fix().apply(mutation.text)) is None
    counts.num_restored += restored[0]
    counts.num_among += any(restored)


def _words(language: Language, text: str) -> list[str]:
    """Tokens as they are compared: blanks and comments aside, layout by kind."""
    return [
        language.fold(text[token.span.start : token.span.end]).strip() or token.kind.value
        for token in language.tokens(text)
        if token.kind is not TokenKind.COMMENT
    ]
