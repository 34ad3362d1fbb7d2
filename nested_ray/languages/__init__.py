"""A text of some language → its validity, definitions and references."""

from nested_ray.languages.base import (
    Definition,
    Import,
    Language,
    Outline,
    Reference,
    Span,
    SyntaxIssue,
    Validity,
)
from nested_ray.languages.registry import LANGUAGES, get_language, guess_language, language_of

__all__ = [
    "LANGUAGES",
    "Definition",
    "Import",
    "Language",
    "Outline",
    "Reference",
    "Span",
    "SyntaxIssue",
    "Validity",
    "get_language",
    "guess_language",
    "language_of",
]
