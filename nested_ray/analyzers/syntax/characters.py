"""Characters that deceive the eye: letters of another alphabet, invisible and reordering ones."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from nested_ray.analyzers.findings import Edit, Fix
from nested_ray.analyzers.syntax.lookalikes import to_one_script
from nested_ray.languages.base import Language, Span, Token, TokenKind

_MAX_CHARS = 5_000_000
"""Longer texts are not looked through: telling code from comments takes every token."""
_MAX_FOUND = 100
_BIDI = "\u202a-\u202e\u2066-\u2069"
_SPACES = "\u00a0\u2000-\u200a\u202f\u205f\u3000"
_INVISIBLE = "\0\u200b-\u200f\u2060\ufeff"
_ODD = re.compile(f"[{_BIDI}{_SPACES}{_INVISIBLE}]+")
_REORDERING = re.compile(f"[{_BIDI}]")
_HAS_BOTH = re.compile(r"[A-Za-z][Ѐ-ӿ]|[Ѐ-ӿ][A-Za-z]")
_WORD = re.compile(r"\w+")
_MAX_NAME_CHARS = 200
_CODE = frozenset({TokenKind.NAME, TokenKind.KEYWORD, TokenKind.ERROR})


@dataclass(frozen=True)
class Suspicion:
    """One deceiving place."""

    span: Span
    message: str
    confidence: float
    fix: Fix | None = None


def find_suspicious(language: Language, text: str) -> list[Suspicion]:
    """Deceiving characters in order; texts without any are not cut into tokens."""
    if len(text) > _MAX_CHARS or not (_ODD.search(text, 1) or _has_mixed_name(text)):
        return []
    tokens = _Tokens(language.tokens(text))
    found = [*_odd_characters(text, tokens), *_mixed_names(language, text, tokens)]
    return sorted(found, key=lambda one: one.span.start)[:_MAX_FOUND]


def _has_mixed_name(text: str) -> bool:
    """Whether some word, of code or not, mixes alphabets as no one means to."""
    found = _HAS_BOTH.search(text)
    while found:
        start = found.start()
        while start > 0 and _is_word(text[start - 1]) and found.start() - start < _MAX_NAME_CHARS:
            start -= 1
        word = _WORD.match(text, start)
        end = word.end() if word else found.end()
        if end - start <= _MAX_NAME_CHARS and to_one_script(text[start:end]):
            return True
        found = _HAS_BOTH.search(text, end)
    return False


def _is_word(character: str) -> bool:
    return character == "_" or character.isalnum()


class _Tokens:
    """Which token holds a place."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self._starts = [token.span.start for token in tokens]

    def at(self, offset: int) -> Token | None:
        index = bisect_right(self._starts, offset) - 1
        if index < 0 or self.tokens[index].span.end <= offset:
            return None
        return self.tokens[index]


def _odd_characters(text: str, tokens: _Tokens) -> Iterator[Suspicion]:
    for match in _ODD.finditer(text, 1 if text.startswith("\ufeff") else 0):
        token = tokens.at(match.start())
        in_code = token is None or token.kind in _CODE
        reorders = _REORDERING.search(match[0]) is not None
        if not (in_code or reorders or "\0" in match[0]):
            continue  # a no-break space in a sentence is what its author wanted
        name = unicodedata.name(match[0][0], f"U+{ord(match[0][0]):04X}").lower()
        where = "" if in_code else f" in a {token.kind.value}" if token else ""
        is_string = token is not None and token.kind is TokenKind.STRING
        yield Suspicion(
            Span(*match.span()),
            f"{name} (U+{ord(match[0][0]):04X}){where}: {_why(match[0], reorders=reorders)}",
            1.0,
            None if is_string else _cleaning(match),
        )


def _why(characters: str, *, reorders: bool) -> str:
    if reorders:
        return "the text is shown in another order than it is read"
    if "\0" in characters:
        return "compilers refuse it"
    return "it is no plain space" if re.match(f"[{_SPACES}]", characters) else "it is invisible"


def _cleaning(match: re.Match[str]) -> Fix:
    """Spaces become plain ones, everything else goes."""
    plain = re.sub(f"[{_SPACES}]", " ", match[0])
    plain = _ODD.sub("", plain)
    description = "replace with plain spaces" if plain else "delete the invisible character"
    return Fix(description, (Edit(Span(*match.span()), plain),))


def _mixed_names(language: Language, text: str, tokens: _Tokens) -> Iterator[Suspicion]:
    suspects: list[tuple[Span, str, str]] = []
    for token in tokens.tokens:
        if token.kind is not TokenKind.NAME:
            continue
        name = text[token.span.start : token.span.end]
        if len(name) <= _MAX_NAME_CHARS and not name.isascii() and _HAS_BOTH.search(name):
            meant = to_one_script(name)
            if meant:
                suspects.append((token.span, name, meant))
    if not suspects:
        return
    known = _known_names(language, text, tokens)
    for span, name, meant in suspects:
        is_known = language.fold(meant) in known or _is_keyword(language, meant)
        fix = Fix(f"write `{meant}` in one alphabet", (Edit(span, meant),)) if is_known else None
        yield Suspicion(span, _describe(name, meant, is_known), 1.0 if is_known else 0.8, fix)


def _known_names(language: Language, text: str, tokens: _Tokens) -> set[str]:
    words = (TokenKind.NAME, TokenKind.KEYWORD)
    spelled = {text[t.span.start : t.span.end] for t in tokens.tokens if t.kind in words}
    return {language.fold(name) for name in spelled} | set(language.builtins)


def _is_keyword(language: Language, name: str) -> bool:
    return [token.kind for token in language.tokens(name)][:1] == [TokenKind.KEYWORD]


def _describe(name: str, meant: str, is_known: bool) -> str:
    wrong = [character for character, right in zip(name, meant, strict=True) if character != right]
    alphabet = "Latin" if wrong[0].isascii() else "Cyrillic"
    letters = ", ".join(f"`{letter}`" for letter in dict.fromkeys(wrong))
    ending = "; the file knows the name in one alphabet" if is_known else ""
    return f"`{name}` has {alphabet} letters among others that look the same: {letters}{ending}"
