"""Old and new code as one corpus: nothing changes sides."""

from dataclasses import replace

import pytest

from nested_ray.corpus.build import digest_corpus
from nested_ray.corpus.documents import Corpus
from nested_ray.corpus.joining import join_corpora
from nested_ray.errors import NoUsableFiles


@pytest.fixture
def corpus(make_document):
    def make(*entries):
        documents = tuple(
            replace(make_document(text, path), split=split) for path, text, split in entries
        )
        return Corpus(documents, (), 0, digest_corpus(documents))

    return make


def sides(corpus):
    return [(document.path, document.split) for document in corpus.documents]


def test_new_documents_stand_before_old_ones_which_stay_as_they_are(corpus):
    old = corpus(("o.py", "o = 1", "train"), ("p.py", "p = 1", "test"))
    new = corpus(("a.py", "a = 1", "train"), ("z.py", "z = 1", "test"))
    joined = join_corpora(new, old)
    assert joined.num_new == 2
    assert sides(joined.corpus) == [*sides(new), *sides(old)]
    assert joined.corpus.digest == digest_corpus([*new.documents, *old.documents])


@pytest.mark.parametrize("side", ["test", "train"])
def test_code_that_the_old_corpus_has_stays_on_its_side(corpus, side):
    old = corpus(("o.py", "o = 1  # first", side))
    new = corpus(("elsewhere.py", "o  =  1\n", "train"), ("a.py", "a = 1", "train"))
    joined = join_corpora(new, old)
    assert sides(joined.corpus) == [("a.py", "train"), ("o.py", side)]
    (known,) = joined.corpus.rejections
    assert (known.path, known.reason, known.detail) == ("elsewhere.py", "known", "same as o.py")


def test_a_new_version_of_a_held_out_file_is_held_out(corpus):
    old = corpus(("o.py", "o = 1", "test"), ("p.py", "p = 1", "train"))
    new = corpus(("o.py", "o = 2", "train"), ("p.py", "p = 2", "test"), ("a.py", "a", "train"))
    assert sides(join_corpora(new, old).corpus)[:3] == [
        ("o.py", "test"),
        ("p.py", "train"),
        ("a.py", "train"),
    ]


def test_parts_of_a_file_on_several_sides_bind_no_new_version(corpus):
    old = corpus(("o.part1.py", "o = 1", "test"), ("o.part2.py", "o = 3", "train"))
    parts = tuple(replace(document, cut_from="o.py") for document in old.documents)
    new = corpus(("o.py", "o = 2", "train"))
    joined = join_corpora(new, replace(old, documents=parts))
    assert sides(joined.corpus)[0] == ("o.py", "train")


def test_nothing_left_to_learn_is_said(corpus):
    old = corpus(("o.py", "o = 1", "train"), ("p.py", "p = 1", "test"))
    new = corpus(("x.py", "o = 1", "train"), ("p.py", "p = 2", "train"))
    with pytest.raises(NoUsableFiles, match=r"1 are in the old corpus .* 1 are new versions"):
        join_corpora(new, old)
