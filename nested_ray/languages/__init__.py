"""A text of some language → its validity, tokens, symbols and outline."""

from nested_ray.languages.base import (
    Definition,
    Import,
    Language,
    Outline,
    Reference,
    Scope,
    Span,
    Symbol,
    SymbolTable,
    SyntaxIssue,
    Token,
    TokenKind,
    Use,
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
    "Scope",
    "Span",
    "Symbol",
    "SymbolTable",
    "SyntaxIssue",
    "Token",
    "TokenKind",
    "Use",
    "Validity",
    "get_language",
    "guess_language",
    "language_of",
]
