"""The Language protocol for Python."""

from __future__ import annotations

from nested_ray.languages.base import Outline, SyntaxIssue, Validity
from nested_ray.languages.python.compiler import compile_error, to_issue
from nested_ray.languages.python.outline import outline
from nested_ray.languages.python.prefix import prefix_validity

_BOM = "\ufeff"


class Python:
    """Python, as the running CPython understands it."""

    name: str = "python"
    extensions: tuple[str, ...] = (".py", ".pyi")
    line_comment: str = "#"

    def check(self, text: str) -> SyntaxIssue | None:
        """What CPython's compiler says of the file; None when it compiles."""
        # A byte order mark is part of the encoding; a space keeps the offsets.
        error = compile_error(text.removeprefix(_BOM))
        return to_issue(text, error) if error else None

    def check_prefix(self, text: str) -> Validity:
        """Whether the beginning of a file can still become a file that compiles."""
        return prefix_validity(text.removeprefix(_BOM))

    def outline(self, text: str) -> Outline:
        """Imports, definitions and names, from broken text too."""
        return outline(text)
