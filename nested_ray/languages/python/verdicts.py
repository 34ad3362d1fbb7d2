"""What the compiler says of one block of a Python file, remembered."""

from __future__ import annotations

import ast
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto

from nested_ray.languages.python.compiler import Outcome, try_compile

_GLOBAL = re.compile(r"\bglobal\b")
_AT_MARGIN = re.compile(r"(?:^|\r)[^\s#]|\f", re.MULTILINE)  # a form feed sets the column to 0
_MAX_CHARS = 8_000_000
_MAX_BLOCKS = 50_000


class Verdict(Enum):
    WHOLE = auto()
    """Compiles."""
    OPEN = auto()
    """Ends in the middle of a statement."""
    BROKEN = auto()
    """Does not compile, whatever follows."""
    SHARED = auto()
    """Says something about the blocks around it; only the whole can tell."""


@dataclass(frozen=True)
class Setting:
    """What stands before every block of a file or of a class."""

    flags: int = 0
    """Of `from __future__` statements."""
    heading: str = ""
    """Of the class whose members the blocks are."""


class Verdicts:
    """The verdicts on the blocks seen last; for any number of threads."""

    def __init__(self, max_chars: int = _MAX_CHARS, max_blocks: int = _MAX_BLOCKS) -> None:
        self._kept: OrderedDict[tuple[str, Setting], tuple[Verdict, int]] = OrderedDict()
        self._max_chars, self._max_blocks = max_chars, max_blocks
        self._lock = threading.Lock()
        self.num_chars = 0

    def of(self, text: str, setting: Setting) -> Verdict:
        return self.with_flags(text, setting)[0]

    def with_flags(self, text: str, setting: Setting) -> tuple[Verdict, int]:
        """The verdict, and the flags that the block sets for what follows."""
        key = text, setting
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = _judge(text, setting)  # two threads may both do it; that harms nobody
        with self._lock:
            if key not in self._kept:
                self.num_chars += len(text)
            self._kept[key] = found
            while self.num_chars > self._max_chars or len(self._kept) > self._max_blocks:
                (oldest, _), _ = self._kept.popitem(last=False)
                self.num_chars -= len(oldest)
        return found


def _judge(text: str, setting: Setting) -> tuple[Verdict, int]:
    outcome, flags = try_compile(setting.heading + text, setting.flags)
    if outcome is Outcome.UNFINISHED:
        return Verdict.OPEN, 0
    if outcome is Outcome.FAILS:
        return Verdict.BROKEN, 0
    return Verdict.SHARED if _speaks_of_others(text, setting) else Verdict.WHOLE, flags


def _speaks_of_others(text: str, setting: Setting) -> bool:
    """Whether a block that compiles may be wrong beside the blocks around it.

    A name must not be used before it is declared global in the same scope, and members of a class
    cannot follow a statement that ended it.
    """
    leaves_class = bool(setting.heading) and _AT_MARGIN.search(text) is not None
    if not leaves_class and not _GLOBAL.search(text):
        return False
    body = ast.parse(setting.heading + text).body
    if setting.heading:
        only = body[0] if len(body) == 1 else None
        if not isinstance(only, ast.ClassDef):
            return True
        body = only.body
    return _declares_global(body)


def _declares_global(body: list[ast.stmt]) -> bool:
    """Whether a `global` stands outside of the functions and classes of a body."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Global):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.expr)):
            waiting.extend(ast.iter_child_nodes(node))
    return False
