"""The Language protocol for Python."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from re import Pattern

from nested_ray.languages.base import Outline, SymbolTable, SyntaxIssue, Token, Validity
from nested_ray.languages.python.blocks import compiles_in_blocks
from nested_ray.languages.python.compiler import compile_error, to_issue
from nested_ray.languages.python.names import BUILTINS, HEADING, fold
from nested_ray.languages.python.outline import outline
from nested_ray.languages.python.prefix import prefix_validity
from nested_ray.languages.python.symbols import symbols
from nested_ray.languages.python.tokens import tokens

_BOM = "\ufeff"


class Python:
    """Python, as the running CPython understands it."""

    name: str = "python"
    extensions: tuple[str, ...] = (".py", ".pyi")
    line_comment: str = "#"
    is_case_sensitive: bool = True
    builtins: AbstractSet[str] = BUILTINS
    heading: Pattern[str] = HEADING

    def check(self, text: str) -> SyntaxIssue | None:
        """What CPython's compiler says of the file; None when it compiles."""
        code = text.removeprefix(_BOM)  # a byte order mark belongs to the encoding
        error = compile_error(code)
        return to_issue(code, error, shift=len(text) - len(code)) if error else None

    def check_prefix(self, text: str) -> Validity:
        """Whether the beginning of a file can still become a file that compiles."""
        return prefix_validity(text.removeprefix(_BOM))

    def outline(self, text: str) -> Outline:
        """Imports, definitions and names, from broken text too."""
        return outline(text)

    def fold(self, name: str) -> str:
        """The name in its normal form, under which the compiler keeps it."""
        return fold(name)

    def tokens(self, text: str) -> list[Token]:
        """Every token in order, exact to the character."""
        return tokens(text)

    def symbols(self, text: str) -> SymbolTable:
        """Scopes, bound names and uses, by the rules of the compiler."""
        return symbols(text)

    def check_insert(self, prefix: str, text: str, suffix: str) -> bool:
        """Whether the whole compiles; blocks of prefix and suffix that were seen before cost nothing."""
        return compiles_in_blocks((prefix + text + suffix).removeprefix(_BOM))
