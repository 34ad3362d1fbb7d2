"""What CPython's own compiler says of a text, with every way it can fail turned into an answer."""

from __future__ import annotations
import __future__

import ast
import re
import threading
import warnings
from enum import Enum, auto
from functools import reduce
from operator import or_
from types import CodeType

from nested_ray.languages.base import Span, SyntaxIssue
from nested_ray.languages.python.expected import expected
from nested_ray.languages.python.limits import TooMuch, too_much

# Of CPython's Include/cpython/compile.h; codeop uses it for the interactive prompt.
_ALLOW_INCOMPLETE_INPUT = 0x4000
_INCOMPLETE = "incomplete input"
FUTURE_ANNOTATIONS: int = __future__.annotations.compiler_flag
_FUTURES = reduce(
    or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)

# `warnings.catch_warnings` swaps global state; two threads inside it could leave filters changed.
_LOCK = threading.Lock()
_LINE_END = re.compile(r"\r\n?|\n")


class Outcome(Enum):
    """How the compiler takes a text."""

    COMPILES = auto()
    UNFINISHED = auto()
    """Parsing ends for want of more text."""
    FAILS = auto()


def compile_error(text: str, *, only_parse: bool = False) -> Exception | None:
    """The error CPython raises for the text, or None when it compiles."""
    found = _compile(text, ast.PyCF_ONLY_AST if only_parse else 0)
    return found if isinstance(found, Exception) else None


def is_viable(text: str, flags: int = 0) -> bool:
    """Whether parsing ends for want of more text, or does not fail at all.

    A last line without line end counts as finished; callers end it with a backslash otherwise.
    """
    found = _compile(text, flags | ast.PyCF_ONLY_AST | _ALLOW_INCOMPLETE_INPUT)
    return not isinstance(found, Exception) or _wants_more(found)


def try_compile(text: str, flags: int = 0) -> tuple[Outcome, int]:
    """How the compiler takes whole lines, and the flags that their `from __future__` imports set."""
    found = _compile(text, flags | _ALLOW_INCOMPLETE_INPUT)
    if isinstance(found, CodeType):
        return Outcome.COMPILES, found.co_flags & _FUTURES
    is_open = isinstance(found, Exception) and _wants_more(found)
    return Outcome.UNFINISHED if is_open else Outcome.FAILS, 0


def _wants_more(error: Exception) -> bool:
    return isinstance(error, SyntaxError) and error.msg == _INCOMPLETE


def _compile(text: str, flags: int) -> object:
    """Code or tree, or the error that came instead."""
    if (refused := too_much(text)) is not None:
        return refused
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes and the like are valid Python
        try:
            return compile(text, "<text>", "exec", flags=flags, dont_inherit=True)
        except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as error:
            # ValueError: NUL or a lone surrogate. MemoryError, RecursionError: nested too deeply.
            return error.with_traceback(None)


def to_issue(text: str, error: Exception, *, shift: int = 0) -> SyntaxIssue:
    """The compiler's error as a sentence and a span of characters, moved right by `shift`."""
    span, message = _explain(text, error)
    return SyntaxIssue(Span(span.start + shift, span.end + shift), message, expected(message))


def _explain(text: str, error: Exception) -> tuple[Span, str]:
    is_placed = isinstance(error, TooMuch) or (isinstance(error, SyntaxError) and error.lineno)
    if "\0" in text and not is_placed:
        start = text.index("\0")
        return Span(start, start + 1), "source code cannot contain a NUL character"
    if isinstance(error, SyntaxError):
        return _syntax_error_span(text, error), error.msg or "invalid syntax"
    if isinstance(error, UnicodeEncodeError):
        return Span(error.start, error.end), "a lone surrogate is not a character"
    if isinstance(error, TooMuch):
        return error.span, str(error)
    if isinstance(error, (MemoryError, RecursionError)):
        return Span(0, len(text)), "nested too deeply for the Python compiler"
    return Span(0, len(text)), str(error) or type(error).__name__


def _syntax_error_span(text: str, error: SyntaxError) -> Span:
    line_starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
    start = _offset(text, line_starts, error.lineno, error.offset)
    end = _offset(text, line_starts, error.end_lineno, error.end_offset)
    return Span(start, max(start, end))


def _offset(text: str, line_starts: list[int], line: int | None, column: int | None) -> int:
    """Character offset of a one-based line and column, moved into the text where it lies outside."""
    if not line or line < 1:
        return 0
    if line > len(line_starts):
        return len(text)
    following = line_starts[line] if line < len(line_starts) else len(text)
    return min(line_starts[line - 1] + max((column or 1) - 1, 0), following)
