import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.config.train import TokenizerConfig
from nested_ray.corpus.documents import Document, digest_text
from nested_ray.datasets.examples import text_before
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.datasets.windows import Window, document_windows, places, split_windows


def test_last_window_is_moved_back_to_be_full():
    assert document_windows(3, 10, 4) == [Window(3, 0, 4), Window(3, 4, 4), Window(3, 6, 4)]
    assert document_windows(3, 8, 4) == [Window(3, 0, 4), Window(3, 4, 4)]


def test_a_short_document_gives_one_short_window():
    assert document_windows(0, 3, 4) == [Window(0, 0, 3)]
    assert document_windows(0, 0, 4) == []


@given(st.integers(1, 500), st.integers(1, 64))
def test_windows_cover_every_token(num_tokens: int, window_tokens: int):
    windows = document_windows(0, num_tokens, window_tokens)
    covered = {token for one in windows for token in range(one.start, one.start + one.num_tokens)}
    assert covered == set(range(num_tokens))
    assert all(one.num_tokens == min(window_tokens, num_tokens) for one in windows)


def test_sample_is_in_order_and_the_same_again():
    def sample(seed: int) -> list[Window]:
        return split_windows([100] * 50, window_tokens=10, max_windows=40, seed=seed)

    first = sample(1)
    assert len(set(first)) == 40
    assert first == sorted(first, key=lambda one: (one.document, one.start))
    assert first == sample(1) != sample(2)


TOKENIZER = NestTokenizer.train(["Процедура А()\n" * 9], TokenizerConfig(vocab_size=512))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(1, 9))
def test_places_equal_the_text_of_the_tokens_before(text: str, window_tokens: int):
    document = Document("a.py", "folder:x", "python", text, digest_text(text), None, "train")
    ids = TOKENIZER.encode(text)
    windows = document_windows(0, len(ids), window_tokens)
    found = list(places(document, np.array(ids), windows, TOKENIZER))
    assert [place.before for place in found] == [
        text_before(TOKENIZER, ids[: window.start]) for window in windows
    ]
    assert {(place.path, place.language) for place in found} == {("a.py", "python")}
