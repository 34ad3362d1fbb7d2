from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.memory import NUM_BUCKETS, MemoryState, NgramIndex
from nested_ray.memory import index as index_module

from . import brute

VOCAB_SIZE = 6
TOKENS = st.lists(st.integers(0, VOCAB_SIZE - 2), max_size=25)


def recalled(index, text, suffix=()):
    state = MemoryState(index, suffix=suffix)
    for token in text:
        state.append(token)
    return state.recall()


def assert_same(recall, other):
    np.testing.assert_array_equal(recall.corpus, other.corpus)
    np.testing.assert_array_equal(recall.cache, other.cache)
    assert recall.bucket == other.bucket


@settings(max_examples=150, deadline=None)
@given(
    documents=st.lists(TOKENS, max_size=5),
    text=TOKENS,
    suffix=TOKENS,
    max_order=st.integers(1, 6),
    small_rows=st.sampled_from([0, 3, 256]),
)
def test_recall_equals_a_brute_force_count(documents, text, suffix, max_order, small_rows):
    index = NgramIndex.build(documents, vocab_size=VOCAB_SIZE, max_order=max_order)
    with pytest.MonkeyPatch.context() as patch:
        # Both ways of counting an order: together with the longer ones, or alone.
        patch.setattr(index_module, "SMALL_ROWS", small_rows)
        found = recalled(index, text, suffix)
    corpus, cache = brute.recall(
        documents, text, vocab_size=VOCAB_SIZE, max_order=max_order, suffix=suffix
    )
    np.testing.assert_allclose(found.corpus, corpus, rtol=1e-5)
    np.testing.assert_allclose(found.cache, cache, rtol=1e-5)


@given(documents=st.lists(TOKENS, max_size=4), text=TOKENS)
@settings(max_examples=50, deadline=None)
def test_distributions_sum_to_one_and_leave_no_token_out(documents, text):
    index = NgramIndex.build(documents, vocab_size=VOCAB_SIZE, max_order=3)
    found = recalled(index, text)
    for distribution in (found.corpus, found.cache):
        assert distribution.shape == (VOCAB_SIZE,) and distribution.dtype == np.float32
        assert distribution.sum() == pytest.approx(1.0, abs=1e-5)
        assert distribution.min() > 0
    assert 0 <= found.bucket < NUM_BUCKETS


@given(parts=st.lists(TOKENS, max_size=4))
@settings(max_examples=50, deadline=None)
def test_extending_in_parts_equals_appending_one_by_one(parts):
    index = NgramIndex.build([[0, 1, 2, 3, 0, 1, 2, 4]], vocab_size=VOCAB_SIZE, max_order=4)
    state = MemoryState(index)
    for part in parts:
        state.extend(np.array(part, np.uint16))
    assert_same(state.recall(), recalled(index, [token for part in parts for token in part]))


def test_forks_do_not_disturb_each_other(index, documents):
    text = documents[0]
    state = MemoryState(index)
    state.extend(text[:40])
    fork = state.fork()
    for token in documents[1][:20]:
        fork.append(token)
    fork.extend(documents[2])
    assert_same(state.recall(), recalled(index, text[:40]))
    state.append(text[40])
    assert_same(state.recall(), recalled(index, text[:41]))
    assert_same(fork.recall(), recalled(index, text[:40] + documents[1][:20] + documents[2]))


def test_threads_that_share_an_index_recall_what_one_alone_does(index, documents, monkeypatch):
    monkeypatch.setattr(index_module, "SMALL_ROWS", 0)
    monkeypatch.setattr(index_module, "REMEMBERED_RANGES", 1)

    def corpus(document):
        state = MemoryState(index)
        rows = []
        for token in document[:30]:
            state.append(token)
            rows.append(state.recall().corpus)
        return rows

    alone = [corpus(document) for document in documents]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(6) as pool:
            together = list(pool.map(corpus, documents))
    finally:
        sys.setswitchinterval(interval)
    np.testing.assert_array_equal(together, alone)
    assert len(index._remembered) == 1


def test_the_file_teaches_what_the_corpus_never_saw(index):
    """Ids 30 and 31 are in no document; after being seen once they are expected to return."""
    state = MemoryState(index)
    state.extend([30, 31, 5, 30])
    found = state.recall()
    assert found.cache.argmax() == 31
    assert found.corpus.argmax() != 31


def test_text_after_the_cursor_is_remembered_too(index):
    with_suffix = recalled(index, [3, 30], suffix=[7, 30, 31])
    without = recalled(index, [3, 30])
    assert with_suffix.cache[31] > 10 * without.cache[31]
    np.testing.assert_array_equal(with_suffix.corpus, without.corpus)


def test_an_empty_corpus_and_an_empty_file_know_nothing():
    index = NgramIndex.build([], vocab_size=8, max_order=4)
    found = MemoryState(index).recall()
    np.testing.assert_allclose(found.corpus, np.full(8, 1 / 8), rtol=1e-6)
    np.testing.assert_array_equal(found.cache, found.corpus)


def test_ids_of_another_vocabulary_are_refused(index):
    state = MemoryState(index)
    for call in (
        lambda: state.append(32),
        lambda: state.append(-1),
        lambda: state.extend([1, 32]),
        lambda: MemoryState(index, suffix=[99]),
    ):
        with pytest.raises(ValueError, match="from 0 to 31"):
            call()
    assert_same(state.recall(), MemoryState(index).recall())
