"""The Language protocol for 1C:Enterprise BSL and OneScript."""

from __future__ import annotations

import re

from nested_ray.languages.base import Outline, Span, SymbolTable, SyntaxIssue, Token, Validity
from nested_ray.languages.bsl.builtins import global_names
from nested_ray.languages.bsl.directives import Line, parse_directive
from nested_ray.languages.bsl.incremental import Incremental, Verdict
from nested_ray.languages.bsl.keywords import KEYWORDS, Kind, as_written, describe
from nested_ray.languages.bsl.lexer import Tokens, could_end_string, tokenize
from nested_ray.languages.bsl.locate import locate
from nested_ray.languages.bsl.machine import Failure
from nested_ray.languages.bsl.outline import outline
from nested_ray.languages.bsl.parser import await_only_in_async, read
from nested_ray.languages.bsl.queries import Query, find_queries
from nested_ray.languages.bsl.spans import to_tokens
from nested_ray.languages.bsl.symbols import symbol_table
from nested_ray.languages.bsl.ways import Reading

_MAX_EXPECTED = 4
_LANGUAGE_SAMPLE = 1_000


class Bsl:
    """1C:Enterprise BSL and OneScript, Russian and English."""

    name: str = "bsl"
    extensions: tuple[str, ...] = (".bsl", ".os")
    line_comment: str = "//"
    is_case_sensitive: bool = False
    heading: re.Pattern[str] = re.compile(
        r"^([ \t]*)(?:(?P<mark>&)|(?:(?:Асинх|Async)[ \t]+)?"
        r"(?:Процедура|Функция|Procedure|Function)[ \t]+\w+[ \t]*\()",
        re.MULTILINE | re.IGNORECASE,
    )

    def __init__(self) -> None:
        self._incremental = Incremental()

    def __reduce__(self) -> tuple[type[Bsl], tuple[()]]:
        return Bsl, ()  # what is remembered stays in its process

    @property
    def builtins(self) -> frozenset[str]:
        """The global context of 1C:Enterprise and OneScript, lower-case."""
        return global_names()

    def check(self, text: str) -> SyntaxIssue | None:
        """The first syntax error of a module; None when it parses in every environment."""
        tokens = tokenize(text)
        reading = read(tokens)
        failure = reading.failure or reading.at_end
        return _issue(tokens, locate(tokens, failure)) if failure else None

    def check_prefix(self, text: str) -> Validity:
        """Whether the beginning of a module can still become a valid module."""
        tokens, reading = self._incremental.read_end(text) or _read_whole(text)
        if reading.failure is None:
            return Validity.INCOMPLETE if reading.at_end else Validity.VALID
        viable = _could_continue(tokens, reading.failure)
        return Validity.INCOMPLETE if viable else Validity.INVALID

    def outline(self, text: str) -> Outline:
        """Procedures, functions, module variables, used libraries and names."""
        return outline(tokenize(text))

    def fold(self, name: str) -> str:
        """Lower case: `Сумма` and `СУММА` are one name."""
        return name.lower()

    def tokens(self, text: str) -> list[Token]:
        """Every token and comment; words after a dot are names whatever they mean elsewhere."""
        tokens = tokenize(text)
        return to_tokens(tokens, await_only_in_async(tokens.kinds))

    def symbols(self, text: str) -> SymbolTable:
        """Methods, parameters, variables and labels, and the names that use them."""
        tokens = tokenize(text)
        return symbol_table(tokens, await_only_in_async(tokens.kinds))

    def queries(self, text: str) -> tuple[Query, ...]:
        """Query text inside the module's strings, with the tables, parameters and aliases it names."""
        return find_queries(tokenize(text))

    def check_insert(self, prefix: str, text: str, suffix: str) -> bool:
        """Whether the module parses with the text between prefix and suffix."""
        verdict = self._incremental.check_insert(prefix, text, suffix)
        if verdict is Verdict.UNKNOWN:
            return read(tokenize(prefix + text + suffix)).is_clean
        return verdict is Verdict.VALID


def _read_whole(text: str) -> tuple[Tokens, Reading]:
    tokens = tokenize(text)
    return tokens, read(tokens)


def _issue(tokens: Tokens, failure: Failure) -> SyntaxIssue:
    place = failure.index if failure.place is None else failure.place
    if place < len(tokens.kinds):
        start, end = tokens.starts[place], tokens.end(place)
        found = _quote(tokens.spellings[place])
    else:
        start = end = len(tokens.text)
        found = "the end of the text"
    is_english = _is_english(tokens)
    expected = tuple(as_written(kind, is_english) for kind in sorted(failure.expected))
    message = f"unexpected {found}{_expectation(failure)}"
    if failure.message:
        message = f"{failure.message}: {found}"
    return SyntaxIssue(Span(start, end), message, expected)


def _is_english(tokens: Tokens) -> bool:
    """Whether the module's keywords are English, as far as there are any."""
    keywords = (word for word in tokens.spellings[:_LANGUAGE_SAMPLE] if word.lower() in KEYWORDS)
    balance = sum(1 if word.isascii() else -1 for word in keywords)
    return balance > 0


def _quote(spelling: str) -> str:
    line = spelling.splitlines()[0] if spelling.splitlines() else spelling
    return f"`{line}`" if len(line) <= 40 else f"`{line[:37]}...`"


def _expectation(failure: Failure) -> str:
    kinds = sorted(failure.expected)
    if not kinds or len(kinds) > _MAX_EXPECTED:
        # After an expression `;` alone says more than the twenty ways to go on.
        ends_statement = Kind.SEMICOLON in failure.expected and Kind.NAME not in failure.expected
        return ", expected `;`" if ends_statement else ""
    return ", expected " + " or ".join(describe(kind) for kind in kinds)


def _could_continue(tokens: Tokens, failure: Failure) -> bool:
    """Whether more characters at the end of the text could turn the failing token into a fitting one."""
    index, text = failure.index, tokens.text
    if index < 0:
        return False
    spelling, kind = tokens.spellings[index], tokens.kinds[index]
    if kind is Kind.ERROR and spelling.startswith('"'):
        return Kind.STRING in failure.expected and could_end_string(text, tokens.starts[index])
    if tokens.end(index) < len(text):
        return False
    if kind is Kind.DIRECTIVE:
        return parse_directive(spelling).line is Line.UNFINISHED
    if kind is Kind.ERROR:
        return spelling.startswith("'") and Kind.DATE in failure.expected
    if spelling == "/":
        return True  # may become a comment
    return _begins_expected_word(spelling.lower(), failure.expected)


def _begins_expected_word(word: str, expected: frozenset[Kind]) -> bool:
    if not (word[0] == "_" or word[0].isalpha()):
        return False
    return Kind.NAME in expected or any(
        kind in expected and keyword.startswith(word) for keyword, kind in KEYWORDS.items()
    )
