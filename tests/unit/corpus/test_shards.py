import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.corpus import shards
from nested_ray.corpus.build import digest_corpus
from nested_ray.corpus.documents import REASONS, Corpus, Document, Rejection, digest_text
from nested_ray.corpus.shards import load_corpus, save_corpus
from nested_ray.errors import CorpusError, DigestMismatch

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
DOCUMENTS = st.builds(
    lambda path, text, licence, split, cut_from: Document(
        path, "folder:/x", "python", text, digest_text(text), licence, split, cut_from
    ),
    TEXTS, TEXTS, st.none() | TEXTS, st.sampled_from(["train", "validation", "test"]), st.none() | TEXTS,
)  # fmt: skip
REJECTIONS = st.builds(Rejection, TEXTS, TEXTS, st.sampled_from(sorted(REASONS)), TEXTS)


def corpus_of(documents=(), rejections=(), num_other_language=0):
    return Corpus(tuple(documents), tuple(rejections), num_other_language, digest_corpus(documents))


@pytest.fixture
def corpus(make_document, function_text):
    documents = [make_document(function_text(number), f"f{number}.py") for number in range(5)]
    return corpus_of(documents, [Rejection("a.py", "folder:/x", "empty")], 7)


@given(st.lists(DOCUMENTS, max_size=5), st.lists(REJECTIONS, max_size=3), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_what_was_saved_is_loaded(tmp_path_factory, documents, rejections, number):
    folder = tmp_path_factory.mktemp("corpus")
    saved = corpus_of(documents, rejections, number)
    save_corpus(saved, folder)
    assert load_corpus(folder) == saved


def test_a_second_corpus_replaces_the_first_and_leaves_nothing_of_it(
    tmp_path, corpus, make_document
):
    save_corpus(corpus, tmp_path)
    (tmp_path / ".documents.1.tmp").write_text("left by a crash")
    second = corpus_of([make_document("x = 1\n")])
    save_corpus(second, tmp_path)
    assert load_corpus(tmp_path) == second
    assert len(list(tmp_path.iterdir())) == 3


def test_saving_the_same_corpus_again_changes_nothing(tmp_path, corpus):
    save_corpus(corpus, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    save_corpus(corpus, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_crash_before_the_manifest_leaves_the_old_corpus(
    tmp_path, corpus, make_document, monkeypatch
):
    save_corpus(corpus, tmp_path)

    def crash(path, write):
        raise KeyboardInterrupt

    monkeypatch.setattr(shards, "write_json", crash)
    with pytest.raises(KeyboardInterrupt):
        save_corpus(corpus_of([make_document("x = 1\n")]), tmp_path)
    assert load_corpus(tmp_path) == corpus


def test_changed_bytes_are_noticed(tmp_path, corpus):
    save_corpus(corpus, tmp_path)
    (path,) = tmp_path.glob("documents-*.parquet")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DigestMismatch, match="was changed since it was saved"):
        load_corpus(tmp_path)


def test_manifest_of_another_corpus_is_noticed(tmp_path, corpus):
    save_corpus(corpus, tmp_path)
    path = tmp_path / "corpus.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"digest": "0" * 64}))
    with pytest.raises(DigestMismatch, match="not those of corpus 000000000000"):
        load_corpus(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "corpus.json").unlink(), "no corpus is saved in"),
        (lambda folder: (folder / "corpus.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "corpus.json").write_text("[]"), "is not of format 1"),
        (
            lambda folder: next(folder.glob("documents-*")).unlink(),
            "is named in corpus.json but missing",
        ),
    ],
)
def test_incomplete_folder_says_what_to_do(tmp_path: Path, corpus, spoil, message):
    save_corpus(corpus, tmp_path)
    spoil(tmp_path)
    with pytest.raises(CorpusError, match=message) as error:
        load_corpus(tmp_path)
    assert "build" in str(error.value)
