"""A second, slow implementation of recall: contexts are compared token by token, counts are dicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from nested_ray.memory.state import CACHE_FACTOR_0, CACHE_FACTORS, CORPUS_FACTORS

START = -1
Counts = dict[int, float]


def corpus_counts(documents: Sequence[Sequence[int]], context: Sequence[int]) -> Counts:
    """In how many documents each token came after the context."""
    counts: Counts = defaultdict(float)
    for document in documents:
        text = [START, *document]
        for token in {text[at] for at in ends_of(text, context)}:
            counts[token] += 1
    return counts


def file_counts(
    suffix: Sequence[int], text: Sequence[int], context: Sequence[int]
) -> tuple[Counts, int]:
    """What came after the context in the file, each occurrence weighed by its distance."""
    counts: Counts = defaultdict(float)
    total_length = len(text) + (len(suffix) + 1 if suffix else 0)
    for part, offset in ((suffix, 0), (text, total_length - len(text))):
        for at in ends_of(part, context):
            counts[part[at]] += (total_length - offset - at + 8) ** -0.25
    return counts, len(counts)


def ends_of(text: Sequence[int], context: Sequence[int]) -> list[int]:
    """Positions of `text` before which the context stands."""
    size = len(context)
    return [at for at in range(size, len(text)) if list(text[at - size : at]) == list(context)]


def witten_bell(below: list[float], counts: Counts, factor: float) -> list[float]:
    total, escape = sum(counts.values()), factor * len(counts)
    if not counts:
        return below
    return [(counts.get(w, 0.0) + escape * p) / (total + escape) for w, p in enumerate(below)]


def recall(
    documents: Sequence[Sequence[int]],
    text: Sequence[int],
    *,
    vocab_size: int,
    max_order: int,
    suffix: Sequence[int] = (),
) -> tuple[list[float], list[float]]:
    """(corpus, cache) distributions after `text`."""
    frequency: Counts = defaultdict(float)
    for document in documents:
        for token in document:
            frequency[token] += 1
    num_tokens = sum(frequency.values())
    corpus = [(frequency[w] + 1) / (num_tokens + vocab_size) for w in range(vocab_size)]
    seen: Counts = defaultdict(float)
    for token in (*suffix, *text):
        seen[token] += 1
    cache = witten_bell(corpus, seen, CACHE_FACTOR_0)
    opened = [START, *text]
    for order in range(1, max_order + 1):
        if order <= len(opened):
            found = corpus_counts(documents, opened[-order:])
            corpus = witten_bell(corpus, found, factor(CORPUS_FACTORS, order))
            cache = witten_bell(cache, found, factor(CORPUS_FACTORS, order))
        if order <= len(text):
            found, _ = file_counts(suffix, text, text[-order:])
            cache = witten_bell(cache, found, factor(CACHE_FACTORS, order))
    return corpus, cache


def factor(factors: Sequence[float], order: int) -> float:
    return float(factors[min(order, len(factors)) - 1])
