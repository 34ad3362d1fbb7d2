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
        code = text.removeprefix(_BOM)  # a byte order mark belongs to the encoding
        error = compile_error(code)
        return to_issue(code, error, shift=len(text) - len(code)) if error else None

    def check_prefix(self, text: str) -> Validity:
        """Whether the beginning of a file can still become a file that compiles."""
        return prefix_validity(text.removeprefix(_BOM))

    def outline(self, text: str) -> Outline:
        """Imports, definitions and names, from broken text too."""
        return outline(text)
