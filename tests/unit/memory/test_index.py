from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.errors import DigestMismatch, StorageError
from nested_ray.memory import MemoryState, NgramIndex
from nested_ray.memory.cache import FileCache

from . import brute

TOKENS = st.lists(st.integers(0, 4), max_size=20)


@settings(max_examples=100, deadline=None)
@given(documents=st.lists(TOKENS, max_size=4), text=TOKENS)
def test_every_range_holds_exactly_the_occurrences_of_its_context(documents, text):
    index = NgramIndex.build(documents, vocab_size=5, max_order=4)
    ranges = index.opening()
    for position in range(len(text) + 1):
        context = [brute.START, *text[:position]]
        for order, (first, last) in enumerate(zip(*ranges, strict=True), start=1):
            found = index.followers[first:last]
            expected = [
                document[at - 1] if at <= len(document) else index.end
                for document in documents
                for at in brute.ends_of([brute.START, *document, brute.START], context[-order:])
            ]
            # The end that closes the whole text is one more row of the opening context.
            extra = [index.end] if context[-order:] == [brute.START] else []
            assert sorted(found.tolist()) == sorted(expected + extra)
        longest = len(ranges[0])
        if longest < min(4, len(context)):
            unseen = context[-longest - 1 :]
            assert not any(
                brute.ends_of([brute.START, *document, brute.START], unseen)
                for document in documents
            )
        if position < len(text):
            ranges = index.advance(ranges, text[position])


def test_no_context_crosses_from_one_document_to_the_next():
    index = NgramIndex.build([[0, 1], [2, 3]], vocab_size=4, max_order=4)
    ranges = index.nowhere()
    for token in (0, 1):
        ranges = index.advance(ranges, token)
    assert index.match(ranges).length == 0  # only the document's end follows 0 1
    assert len(index.advance(ranges, 2)[0]) == 1  # 2 is known, 1 2 is not


def test_a_document_counts_once_for_what_it_repeats():
    repeated = NgramIndex.build([[0, 1] * 20, [0, 2], [0, 2]], vocab_size=3, max_order=1)
    match = repeated.match(repeated.advance(repeated.nowhere(), 0))
    assert match.totals.tolist() == [3.0]
    assert match.weighted(np.ones(1), 3).tolist() == [0.0, 1.0, 2.0]


@settings(max_examples=60, deadline=None)
@given(text=TOKENS)
def test_cache_finds_what_an_index_of_the_same_tokens_finds(text):
    """Occurrence by occurrence, order by order; the cache's recency weights are left out."""
    index = NgramIndex.build([text], vocab_size=5, max_order=4)
    cache = FileCache(5, 4)
    ranges = index.nowhere()
    for token in text:
        cache.append(token)
        ranges = index.advance(ranges, token)
    match = cache.match()
    for order, (first, last) in enumerate(zip(*ranges, strict=True), start=1):
        followers = index.followers[first:last]
        expected = np.sort(followers[followers != index.end])
        assert np.sort(match.tokens[match.lengths >= order]).tolist() == expected.tolist()


@pytest.mark.parametrize("vocab_size", [300, 65_535, 65_536])
def test_ids_of_every_width_sort_and_match(vocab_size):
    """Values whose low bytes disagree with their order, up to the largest vocabulary."""
    high = vocab_size - 1
    documents = [[255, 256, high, 255], [256, 255, 256, 1]]
    index = NgramIndex.build(documents, vocab_size=vocab_size, max_order=3)
    state = MemoryState(index)
    state.extend([255, 256])
    assert state.recall().corpus.argmax() == high


def test_evenly_spaced_rows_stand_for_very_frequent_contexts(monkeypatch):
    documents = [[0, 1 + number % 4] for number in range(4_000)]

    def recalled():
        index = NgramIndex.build(documents, vocab_size=5, max_order=1)
        state = MemoryState(index)
        state.append(0)
        return state.recall().corpus

    exact = recalled()
    monkeypatch.setattr("nested_ray.memory.index.MAX_ROWS", 500)
    np.testing.assert_allclose(recalled(), exact, atol=0.02)


def test_a_saved_index_recalls_the_same(index, documents, tmp_path):
    index.save(tmp_path / "memory")
    loaded = NgramIndex.load(tmp_path / "memory", verify=True)
    assert (loaded.vocab_size, loaded.max_order, loaded.num_tokens) == (
        32,
        5,
        sum(map(len, documents)),
    )
    for one in (index, loaded):
        state = MemoryState(one)
        state.extend(documents[0][:30])
        recall = state.recall()
        if one is index:
            expected = recall
    np.testing.assert_array_equal(recall.corpus, expected.corpus)
    np.testing.assert_array_equal(recall.cache, expected.cache)


def test_building_twice_gives_the_same_bytes(documents, tmp_path):
    for name in ("a", "b"):
        NgramIndex.build(documents, vocab_size=32, max_order=5).save(tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_truncated_array_is_found_without_reading_it(index, tmp_path):
    index.save(tmp_path)
    path = tmp_path / "links.npy"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DigestMismatch, match=r"links\.npy has \d+ bytes"):
        NgramIndex.load(tmp_path)


def test_a_changed_byte_is_found_when_digests_are_verified(index, tmp_path):
    index.save(tmp_path)
    path = tmp_path / "followers.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DigestMismatch, match=r"followers\.npy differs"):
        NgramIndex.load(tmp_path, verify=True)


def test_a_damaged_header_is_a_storage_error(index, tmp_path):
    index.save(tmp_path)
    path = tmp_path / "documents.npy"
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(DigestMismatch, match=r"documents\.npy is not an array"):
        NgramIndex.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "cannot read"),
        (lambda text: text[: len(text) // 2], "cannot read"),
        (lambda text: "[]", "format"),
        (lambda text: text.replace('"format": 1', '"format": 99'), "format 99"),
        (lambda text: text.replace("max_order", "order"), "lacks 'max_order'"),
        (lambda text: text.replace("links.npy", "other.npy"), "does not name links.npy"),
        (lambda text: text.replace('"vocab_size": 32', '"vocab_size": 16'), "does not describe"),
        (lambda text: text.replace('"max_order": 5', '"max_order": 50'), "does not describe"),
    ],
)
def test_a_manifest_that_cannot_be_trusted_is_refused(index, tmp_path, change, message):
    index.save(tmp_path)
    manifest = tmp_path / "index.json"
    manifest.write_text(change(manifest.read_text()))
    with pytest.raises(StorageError, match=message):
        NgramIndex.load(tmp_path)


def test_missing_files_are_named(index, tmp_path):
    with pytest.raises(StorageError, match=r"index\.json is missing"):
        NgramIndex.load(tmp_path / "nowhere")
    index.save(tmp_path)
    (tmp_path / "links.npy").unlink()
    with pytest.raises(StorageError, match=r"links\.npy is missing"):
        NgramIndex.load(tmp_path)


def test_the_manifest_says_what_was_indexed(index, documents, tmp_path):
    index.save(tmp_path)
    facts = json.loads((tmp_path / "index.json").read_text())
    assert facts["num_tokens"] == sum(map(len, documents))
    assert set(facts["files"]) == {"followers.npy", "documents.npy", "links.npy"}


@pytest.mark.parametrize("order", [0, 33])
def test_orders_outside_the_supported_range_are_refused(order):
    with pytest.raises(ValueError, match="from 1 to 32"):
        NgramIndex.build([[1]], vocab_size=2, max_order=order)


def test_a_document_of_another_vocabulary_is_refused():
    with pytest.raises(ValueError, match="document 1 has token ids from 0 to 9"):
        NgramIndex.build([[1], [0, 9]], vocab_size=4, max_order=2)
