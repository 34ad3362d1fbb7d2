"""Bytes of every kind through everything that reads foreign text: no traceback, bounded time and memory.

    python tests/bench/fuzz_bytes.py [--count 20000] [--seed 0] [--corpus FOLDER ...] [--huge]

Half of the inputs are files of the corpus (default: the standard library) cut, spliced and overwritten at
random places; the rest are random bytes, tokens in random order and both in other encodings. `--huge`
adds texts of up to 50 MB and nesting of 10,000. Prints what broke and how to see it again.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import sysconfig
import traceback
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from time import thread_time

from nested_ray.analyzers.architecture.report import describe
from nested_ray.analyzers.semantics import SemanticsAnalyzer
from nested_ray.analyzers.syntax import SyntaxAnalyzer, mend
from nested_ray.corpus.filters import decode
from nested_ray.languages import LANGUAGES, Language, get_language
from nested_ray.repository.base import SourceFile
from nested_ray.repository.index import IndexedRepository, open_repository

SYNTAX = SyntaxAnalyzer(with_fixes=False)
SYNTAX_WITH_REPAIRS = SyntaxAnalyzer()
Step = Callable[[Language, str], object]


def alone(language: Language, text: str) -> IndexedRepository:
    """A code base of one file."""
    path = f"file{language.extensions[0]}"
    return open_repository([SourceFile(path, language.name, text)])


STEPS: dict[str, Step] = {
    "check": lambda language, text: language.check(text),
    "check_prefix": lambda language, text: language.check_prefix(text),
    "tokens": lambda language, text: language.tokens(text),
    "outline": lambda language, text: language.outline(text),
    "symbols": lambda language, text: language.symbols(text),
    "check_insert": lambda language, text: language.check_insert(
        text[: len(text) // 2], "а\n", text[len(text) // 2 :]
    ),
    "syntax analyzer": lambda language, text: SYNTAX.analyze_text(language, "file", text),
    "semantics analyzer": lambda language, text: list(
        SemanticsAnalyzer().analyze((one := alone(language, text)), one.files)
    ),
    "architecture": lambda language, text: describe(alone(language, text)),
    "repairs": lambda language, text: SYNTAX_WITH_REPAIRS.analyze_text(language, "file", text),
    "mend": lambda language, text: mend(language, text),
}
"""Everything that reads foreign text; an analyzer joins by one line."""

SEARCHES = ("semantics analyzer", "repairs", "mend")
"""Steps that start a process or take seconds on what cannot be repaired: run on every tenth input."""

MAX_SECONDS, MAX_SECONDS_PER_MB = 10.0, 40.0
"""Of processor time for one step on one text."""
_MAX_FILE_BYTES = 20_000
_WORDS = (
    'Если Тогда КонецЕсли Иначе Для Каждого Из Цикл КонецЦикла Попытка Исключение ( ) [ ] = ; , . "с" " | '
    "Процедура КонецПроцедуры Функция Возврат Ждать Асинх & ~М: ' ? // # #Если #КонецЕсли #Область A "
    "if else elif for while def class return yield lambda await async with as import : x f'{ ''' \"\"\" \\ "
    "@ ** -> := not None 0x \t \0 \ufeff \u202e \u00a0 “ <<<<<<< ======= >>>>>>>"
).split(" ")
_ENCODINGS = ("utf-8", "utf-8", "cp1251", "utf-16", "utf-8-sig", "latin-1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", nargs="*", default=[sysconfig.get_path("stdlib")])
    parser.add_argument("--huge", action="store_true")
    args = parser.parse_args()
    files = [path for folder in args.corpus for path in _files(Path(folder))]
    num_broken, slowest = 0, (0.0, "")
    for number in range(args.count):
        language, data = make(random.Random(args.seed * 1_000_003 + number), files)
        failures, seconds = judge(language, data, without=SEARCHES if number % 10 else ())
        slowest = max(slowest, (seconds, f"input {number}"))
        num_broken += _tell(f"input {number} of seed {args.seed}", failures)
        if number % 100 == 99:
            print(f"{number + 1:,} of {args.count:,} inputs, {num_broken} broken", file=sys.stderr)
    for name, text in huge_texts() if args.huge else ():
        for language in LANGUAGES:
            failures, seconds = judge_text(language, text)
            print(f"{name}, {language.name}: slowest step {seconds:.1f} s", flush=True)
            num_broken += _tell(name, failures)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{args.count:,} inputs, {num_broken} broken; slowest step {slowest[0]:.1f} s ({slowest[1]})"
    )
    print(f"peak memory {peak_mb:,.0f} MB")
    sys.exit(num_broken > 0)


def _files(folder: Path) -> list[Path]:
    endings = {ending for language in LANGUAGES for ending in language.extensions}
    return sorted(path for path in folder.rglob("*") if path.suffix in endings and path.is_file())


def make(randomness: random.Random, files: list[Path]) -> tuple[Language, bytes]:
    """One input, the same for the same state of the generator."""
    language = randomness.choice(LANGUAGES)
    way = randomness.random()
    if way < 0.15:
        return language, randomness.randbytes(randomness.randrange(400))
    if way < 0.5 or not files:
        words = randomness.choices(_WORDS, k=randomness.randrange(1, 80))
        text = "".join(word + randomness.choice((" ", "", "\n", "\n\t")) for word in words)
        return language, text.encode(randomness.choice(_ENCODINGS), "replace")
    path = randomness.choice(files)
    language = get_language("python" if path.suffix in (".py", ".pyi") else "bsl")
    data = path.read_bytes()
    start = randomness.randrange(max(len(data) - _MAX_FILE_BYTES, 1))
    return language, damage(randomness, data[start : start + _MAX_FILE_BYTES])


def damage(randomness: random.Random, data: bytes) -> bytes:
    """One to four pieces overwritten, taken out, doubled or moved; now and then another encoding."""
    for _ in range(randomness.randrange(1, 5)):
        start = randomness.randrange(len(data) + 1)
        end = min(start + randomness.choice((1, 2, 8, 200)), len(data))
        put = randomness.choice(
            (
                b"",
                data[start:end] * 2,
                randomness.randbytes(2),
                randomness.choice(_WORDS).encode(),
                b"\0",
            )
        )
        data = data[:start] + put + data[end:]
    if randomness.random() < 0.1:
        text = data.decode("utf-8", "replace")
        data = text.encode(randomness.choice(_ENCODINGS), "replace")
    return data


def judge(
    language: Language, data: bytes, *, without: Collection[str] = ()
) -> tuple[list[str], float]:
    """What went wrong with the bytes of a file, and the seconds of the slowest step.

    Steps named in `without` are left out.
    """
    text = decode(data, language.name)
    if not isinstance(text, str):
        text = data.decode("latin-1")  # what the decoder refuses must be survived as well
    return judge_text(language, text, without=without)


def judge_text(
    language: Language, text: str, *, without: Collection[str] = ()
) -> tuple[list[str], float]:
    failures: list[str] = []
    slowest = 0.0
    allowed = MAX_SECONDS + MAX_SECONDS_PER_MB * len(text) / 1e6
    for name, step in STEPS.items():
        if name in without:
            continue
        started = thread_time()
        try:
            step(language, text)
        except Exception:
            failures.append(f"{name}, {language.name}: {traceback.format_exc(limit=-3)}")
        seconds = thread_time() - started
        slowest = max(slowest, seconds)
        if seconds > allowed:
            failures.append(f"{name}, {language.name}: {seconds:.1f} s, allowed {allowed:.1f} s")
    return failures, slowest


def huge_texts() -> Iterator[tuple[str, str]]:
    """Name and text of what no person writes."""
    yield "a line of 50 MB", "x" * 50_000_000
    yield "a statement of 5 MB on one line", "x = " + "1 + " * 1_250_000 + "1\n"
    yield "a string of 50 MB", '"' + "ы" * 25_000_000 + '"'
    yield "an unfinished string of 5 MB", '"' + "ы\n|" * 1_700_000
    yield "brackets nested 10,000 deep", "x = " + "(" * 10_000 + ")" * 10_000
    yield "unfinished brackets, 100,000", "(" * 100_000
    yield "blocks nested 10,000 deep", "Если А Тогда\n" * 10_000 + "КонецЕсли;\n" * 10_000
    yield "unfinished blocks, 10,000", "Процедура А()\n" + "Для Каждого Б Из В Цикл\n" * 10_000
    yield "conditions nested 10,000 deep", "#Если А Тогда\n" * 10_000 + "#КонецЕсли\n" * 10_000
    yield "indentation 2,000 deep", "".join(" " * n + "if a:\n" for n in range(2_000))
    yield "an error in each of 20,000 methods", "Процедура А(\nКонецПроцедуры\n" * 20_000
    yield "an error in each of 20,000 functions", "def f(:\n    pass\n\n" * 20_000
    yield "a million empty lines", "\n" * 1_000_000
    yield "NUL, a million", "\0" * 1_000_000
    yield "conflict markers, 100,000", "<<<<<<< a\n=======\n>>>>>>> b\n" * 33_333


def _tell(name: str, failures: list[str]) -> bool:
    for failure in failures:
        print(f"{name}: {failure}", flush=True)
    return bool(failures)


if __name__ == "__main__":
    main()
