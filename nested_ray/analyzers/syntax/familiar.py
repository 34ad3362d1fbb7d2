"""How familiar a sequence of tokens is to the file it stands in: a trigram model of the file itself.

Without a trained model a repair is ranked by what the author usually writes. Spellings are mixed with
shapes (a name is a name), so that a place with names never seen before is judged by its grammar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import log

from nested_ray.analyzers.syntax.words import Word
from nested_ray.languages.base import TokenKind

# Weights of: spelling after two spellings, after one, shape after two shapes, after one; the rest is a floor.
_SPELLED_2, _SPELLED_1, _SHAPED_2, _SHAPED_1, _FLOOR = 0.3, 0.15, 0.4, 0.13, 0.02
_NUM_NEIGHBOURS = 8
_HALF_TRUST_TOKENS = 100
"""In a file of this length its habits count for half."""
_BREAK = Word("", "<break>", "<break>", TokenKind.ERROR, 0, 0)


class Familiar:
    """Counts of one file's tokens, stretch by stretch."""

    def __init__(self, stretches: Sequence[Sequence[Word]]) -> None:
        words = [word for stretch in stretches for word in [*stretch, _BREAK]]
        folded = [word.folded for word in words]
        shapes = [word.shape for word in words]
        self._spelled = _Counts(folded)
        self._shaped = _Counts(shapes)
        self._in_shape = Counter(shapes)
        self._trust = len(words) / (len(words) + _HALF_TRUST_TOKENS)
        self._num_spellings = len(self._spelled.single) + 1
        self._after: dict[str, Counter[str]] = {}
        self._before: dict[str, Counter[str]] = {}
        for one, other in pairwise(folded):
            self._after.setdefault(one, Counter())[other] += 1
            self._before.setdefault(other, Counter())[one] += 1

    def nats(self, before: Sequence[Word], words: Sequence[Word]) -> float:
        """How surprising the words are after two words before them.

        Negative log-probability, less of it the less is known of the file.
        """
        context = list(before[-2:])
        surprise = 0.0
        for word in words:
            surprise -= log(self._probability(context[-2:], word))
            context.append(word)
        return surprise * self._trust

    def around(self, left: Word | None, right: Word | None) -> list[str]:
        """Folded spellings that most often follow the one word or stand before the other."""
        found: Counter[str] = Counter()
        for counts, word in ((self._after, left), (self._before, right)):
            if word is not None and word.folded in counts:
                found.update(dict(counts[word.folded].most_common(_NUM_NEIGHBOURS)))
        return [folded for folded, _ in found.most_common(_NUM_NEIGHBOURS)]

    def _probability(self, context: Sequence[Word], word: Word) -> float:
        two = self._spelled.after([w.folded for w in context], word.folded)
        one = self._spelled.after([w.folded for w in context[-1:]], word.folded)
        in_shape = (self._spelled.single[word.folded] + 1) / (
            self._in_shape[word.shape] + self._num_spellings
        )
        if word.folded == word.shape:
            in_shape = 1.0
        shaped_two = self._shaped.after([w.shape for w in context], word.shape)
        shaped_one = self._shaped.after([w.shape for w in context[-1:]], word.shape)
        return (
            _SPELLED_2 * two
            + _SPELLED_1 * one
            + (_SHAPED_2 * shaped_two + _SHAPED_1 * shaped_one) * in_shape
            + _FLOOR / self._num_spellings
        )


class _Counts:
    """Of single tokens, pairs and triples."""

    def __init__(self, tokens: list[str]) -> None:
        self.single = Counter(tokens)
        self._double = Counter(pairwise(tokens))
        self._triple = Counter(zip(tokens, tokens[1:], tokens[2:], strict=False))
        self._total = len(tokens) or 1

    def after(self, context: Sequence[str], token: str) -> float:
        """Share of the token among what follows the context, which has none, one or two tokens."""
        if len(context) == 2:
            seen = self._double[context[0], context[1]]
            return self._triple[context[0], context[1], token] / seen if seen else 0.0
        if len(context) == 1:
            seen = self.single[context[0]]
            return self._double[context[0], token] / seen if seen else 0.0
        return self.single[token] / self._total
