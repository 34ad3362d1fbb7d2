"""A valid text and a seed → texts with one token changed, and where: what a syntax checker should notice.

Four kinds: a token is deleted, written twice, swapped with its neighbour, or a block or bracket loses its
balance (its end is missing, is another one's, or stands once too often; in Python a line is indented too far).
Tokens that a change brings together stay apart by a space, so that the tokens of the new text are those
of the old one but for the change.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from nested_ray.languages import Language
from nested_ray.languages.base import Token, TokenKind

MutationKind = Literal["delete", "duplicate", "swap", "unbalance"]
KINDS: tuple[MutationKind, ...] = ("delete", "duplicate", "swap", "unbalance")

_NOT_MUTATED = (TokenKind.COMMENT, TokenKind.LAYOUT, TokenKind.ERROR)
_CLOSING_BRACKETS = (")", "]", "}")
_BLOCK_ENDS: dict[str, tuple[str, ...]] = {
    "bsl": (
        *("КонецЕсли", "КонецЦикла", "КонецПопытки", "КонецПроцедуры", "КонецФункции"),
        *("EndIf", "EndDo", "EndTry", "EndProcedure", "EndFunction"),
    )
}
"""Words that end a block, by language; where indentation does, there are none."""
_MAX_TRIES = 20


@dataclass(frozen=True)
class Mutation:
    """One changed text. What was changed stands at `text[offset:end]`; after a deletion that is empty."""

    kind: MutationKind
    text: str
    offset: int
    end: int


@dataclass(frozen=True)
class _Source:
    language: Language
    text: str
    tokens: list[Token]
    """Those that may change, in order."""
    ends: list[int]
    """Indices of block ends and closing brackets."""
    line_starts: list[int]
    """Indices of tokens that begin a statement where indentation means something."""

    def word(self, index: int) -> str:
        span = self.tokens[index].span
        return self.text[span.start : span.end]


def mutations(language: Language, text: str, *, seed: int, count: int) -> Iterator[Mutation]:
    """`count` changed texts, the kinds in turn; fewer when the text is too short to be changed.

    The same seed gives the same changes. A change may leave the text valid: a judge has to say which.
    """
    source = _read(language, text)
    if len(source.tokens) < 2:
        return
    randomness = random.Random(seed)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        for _ in range(_MAX_TRIES):
            changed = _OPERATORS[kind](source, randomness)
            if changed is not None and changed.text != text:
                yield changed
                break


def _read(language: Language, text: str) -> _Source:
    every = language.tokens(text)
    tokens = [token for token in every if token.kind not in _NOT_MUTATED]
    source = _Source(language, text, tokens, [], [])
    closers = {*_CLOSING_BRACKETS, *map(language.fold, _BLOCK_ENDS.get(language.name, ()))}
    keywords = (TokenKind.KEYWORD, TokenKind.PUNCTUATION)
    source.ends.extend(
        index
        for index, token in enumerate(tokens)
        if token.kind in keywords and language.fold(source.word(index)) in closers
    )
    layout_ends = {token.span.end for token in every if token.kind is TokenKind.LAYOUT}
    source.line_starts.extend(
        index for index, token in enumerate(tokens) if token.span.start in layout_ends
    )
    return source


def _splice(
    source: _Source, kind: MutationKind, start: int, end: int, words: list[str]
) -> Mutation:
    """The text with `words` in the place of `text[start:end]`, kept apart from what surrounds them."""
    before, after = source.text[:start], source.text[end:]
    middle = " ".join(words)
    if middle and before and not before[-1].isspace():
        before += " "
    if any(word.startswith("#") for word in words):  # a preprocessor line ends with its line
        middle = "\n".join(words)
        after = after if after[:1] in "\r\n" else "\n" + after
    elif after and not after[0].isspace() and (middle or (before and not before[-1].isspace())):
        after = " " + after
    return Mutation(kind, before + middle + after, len(before), len(before) + len(middle))


def _delete(source: _Source, randomness: random.Random) -> Mutation:
    span = randomness.choice(source.tokens).span
    return _splice(source, "delete", span.start, span.end, [])


def _duplicate(source: _Source, randomness: random.Random) -> Mutation:
    index = randomness.randrange(len(source.tokens))
    span, word = source.tokens[index].span, source.word(index)
    return _splice(source, "duplicate", span.start, span.end, [word, word])


def _swap(source: _Source, randomness: random.Random) -> Mutation | None:
    index = randomness.randrange(len(source.tokens) - 1)
    first, second = source.tokens[index].span, source.tokens[index + 1].span
    if source.word(index) == source.word(index + 1):
        return None
    gap = source.text[first.end : second.start].strip()
    if gap:  # a comment stands between
        return None
    words = [source.word(index + 1), source.word(index)]
    return _splice(source, "swap", first.start, second.end, words)


def _unbalance(source: _Source, randomness: random.Random) -> Mutation | None:
    if source.line_starts and randomness.random() < 0.5:
        return _indent(source, randomness.choice(source.line_starts))
    if not source.ends:
        return None
    index = randomness.choice(source.ends)
    span, word = source.tokens[index].span, source.word(index)
    change = randomness.choice(("drop", "replace", "add"))
    if change == "replace":
        return _splice(
            source, "unbalance", span.start, span.end, [_other(source, word, randomness)]
        )
    if change == "add":
        place = randomness.choice(source.tokens).span.start
        return _splice(source, "unbalance", place, place, [word])
    follows = index + 1 < len(source.tokens) and source.word(index + 1) == ";"
    end = source.tokens[index + 1].span.end if follows and len(word) > 1 else span.end
    return _splice(source, "unbalance", span.start, end, [])


def _other(source: _Source, word: str, randomness: random.Random) -> str:
    """Another word of the same sort: a bracket for a bracket, an end for an end."""
    if word in _CLOSING_BRACKETS:
        return randomness.choice(
            [other for other in _CLOSING_BRACKETS[:2] if other != word] or [")"]
        )
    ends = _BLOCK_ENDS[source.language.name]
    alike = [end for end in ends if end.isascii() == word.isascii()]
    fold = source.language.fold
    return randomness.choice([end for end in alike if fold(end) != fold(word)])


def _indent(source: _Source, index: int) -> Mutation:
    start = source.tokens[index].span.start
    text = source.text[:start] + " " + source.text[start:]
    return Mutation("unbalance", text, start, source.tokens[index].span.end + 1)


_OPERATORS: dict[MutationKind, Callable[[_Source, random.Random], Mutation | None]] = {
    "delete": _delete,
    "duplicate": _duplicate,
    "swap": _swap,
    "unbalance": _unbalance,
}
