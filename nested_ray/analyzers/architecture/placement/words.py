"""Words of code: identifiers cut into their parts, without comments."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from scipy import sparse

from nested_ray.languages.base import Definition, Span

MAX_WORDS = 20_000
"""Size of a vocabulary; the words in most units are kept."""
_MIN_UNITS = 2
_MAX_TEXT_CHARS = 2_000_000
"""Read of one file; longer ones are data."""

_PART = re.compile(r"[A-ZА-ЯЁ]+(?![a-zа-яё])|[A-ZА-ЯЁ]?[a-zа-яё]+|[^\W_a-zA-Zа-яёА-ЯЁ]+")
_NAME = re.compile(r"[^\W\d]\w*")
# Strings are matched so that a comment mark inside one is none; those of BSL hold queries and stay.
_COMMENTS = {
    "bsl": re.compile(r'"(?:[^"\n]|"")*+"?|(//[^\n]*)'),
    "python": re.compile(
        r"(\"\"\"(?:[^\"\\]|\\.|\"(?!\"\"))*+(?:\"\"\")?)|('''(?:[^'\\]|\\.|'(?!''))*+(?:''')?)"
        r"|\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?|(\#[^\n]*)",
        re.DOTALL,
    ),
}


@lru_cache(maxsize=200_000)
def parts(name: str) -> tuple[str, ...]:
    """`ПолучитьURLФайла` → получить, url, файла; `read_HTTP2` → read, http, 2."""
    return tuple(part.lower() for part in _PART.findall(name))


def code_only(text: str, language: str) -> str:
    """The text with comments and Python's documentation blanked out, offsets kept."""
    pattern = _COMMENTS.get(language)
    text = text[:_MAX_TEXT_CHARS]
    if pattern is None:
        return text
    return pattern.sub(lambda m: m[0] if m.lastindex is None else " " * len(m[0]), text)


def count_names(code: str) -> Counter[str]:
    """How often each name stands in the code."""
    return Counter(_NAME.findall(code))


def count_words(names: Mapping[str, int], hidden: Collection[str] = ()) -> Counter[str]:
    """How often each part of a name stands there; names that are `hidden` (folded) do not count."""
    found: Counter[str] = Counter()
    for name, count in names.items():
        if not hidden or name.casefold() not in hidden:
            for part in parts(name):
                found[part] += count
    return found


def top_definitions(definitions: Sequence[Definition]) -> list[int]:
    """Indices of the functions, procedures and classes that stand in no other, in order of place."""
    kept: list[int] = []
    end = -1
    for index in sorted(range(len(definitions)), key=lambda i: definitions[i].span.start):
        definition = definitions[index]
        if definition.kind != "variable" and definition.span.start >= end:
            kept.append(index)
            end = definition.span.end
    return kept


def outside(spans: Iterable[Span], text: str) -> str:
    """What is left of the text when the spans, in order, are taken out."""
    pieces: list[str] = []
    done = 0
    for span in spans:
        pieces.append(text[done : span.start])
        done = max(done, span.end)
    pieces.append(text[done:])
    return "\n".join(pieces)


class WordSpace:
    """A vocabulary with weights: counts of words become unit vectors."""

    def __init__(self, words: Sequence[str], idf_V: np.ndarray) -> None:
        self.words = tuple(words)
        self.idf_V = idf_V
        self._index = {word: position for position, word in enumerate(words)}

    @classmethod
    def fit(cls, documents: Sequence[Mapping[str, int]]) -> WordSpace:
        """Words of at least two documents, the most frequent ones where there are too many."""
        frequency: Counter[str] = Counter()
        for document in documents:
            frequency.update(document.keys())
        common = sorted(frequency.items(), key=lambda item: (-item[1], item[0]))[:MAX_WORDS]
        kept = sorted((word, count) for word, count in common if count >= _MIN_UNITS)
        counts = np.array([count for _, count in kept], dtype=np.float64)
        idf_V = np.log((1 + len(documents)) / (1 + counts)) + 1
        return cls([word for word, _ in kept], idf_V.astype(np.float32))

    def vectors(self, documents: Iterable[Mapping[str, int]]) -> sparse.csr_matrix:
        """One row of length 1 per document: logarithm of the count times the word's weight."""
        columns: list[int] = []
        values: list[float] = []
        ends = [0]
        for document in documents:
            for word, count in document.items():
                column = self._index.get(word)
                if column is not None:
                    columns.append(column)
                    values.append(count)
            ends.append(len(columns))
        indices = np.asarray(columns, dtype=np.int32)
        data = (1 + np.log(np.asarray(values, dtype=np.float32))) * self.idf_V[indices]
        shape = (len(ends) - 1, len(self.words))
        rows = sparse.csr_matrix((data, indices, np.asarray(ends)), shape=shape, dtype=np.float32)
        lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        return sparse.csr_matrix(sparse.diags(1 / np.maximum(lengths, 1e-9)) @ rows)
