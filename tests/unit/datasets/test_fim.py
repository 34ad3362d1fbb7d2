from hypothesis import given
from hypothesis import strategies as st

from nested_ray.config.train import TokenizerConfig
from nested_ray.datasets.fim import MIN_TOKENS, end_of_line, fim_prompt, rearrange_window
from nested_ray.datasets.tokenizer import NestTokenizer

TOKENIZER = NestTokenizer.train(["a = 1\n    b = 2\n" * 30], TokenizerConfig(vocab_size=512))

windows = st.lists(st.integers(8, TOKENIZER.vocab_size - 1), min_size=MIN_TOKENS, max_size=64)


def split_fim(ids: list[int]) -> tuple[list[int], list[int], list[int]]:
    """The parts of a rearranged window, read back from its markers."""
    suffix_at, middle_at = ids.index(TOKENIZER.fim_suffix), ids.index(TOKENIZER.fim_middle)
    return ids[1:suffix_at], ids[suffix_at + 1 : middle_at], ids[middle_at + 1 : -1]


@given(windows, st.integers(0, 9))
def test_parts_join_to_the_window_without_its_end(window: list[int], seed: int):
    ids = rearrange_window(window, TOKENIZER, seed=seed, share=1.0)
    prefix, suffix, middle = split_fim(ids)
    assert prefix + middle + suffix == window[:-4]
    assert len(ids) == len(window)
    assert ids[0] == TOKENIZER.fim_prefix and ids[-1] == TOKENIZER.end_of_text


@given(windows, st.integers(0, 9))
def test_share_zero_leaves_windows_alone_and_repeats_agree(window: list[int], seed: int):
    assert rearrange_window(window, TOKENIZER, seed=seed, share=0.0) == window
    first = rearrange_window(window, TOKENIZER, seed=seed, share=0.5)
    assert rearrange_window(window, TOKENIZER, seed=seed, share=0.5) == first


def test_share_is_kept():
    rearranged = sum(
        rearrange_window(
            [8 + (number + step) % 200 for step in range(16)], TOKENIZER, seed=number, share=0.3
        )[0]
        == TOKENIZER.fim_prefix
        for number in range(1000)
    )
    assert 250 < rearranged < 350


def test_the_end_of_a_document_stays_at_the_end():
    window = [*range(20, 40), TOKENIZER.end_of_text]
    ids = rearrange_window(window, TOKENIZER, seed=1, share=1.0)
    assert ids.count(TOKENIZER.end_of_text) == 1 and ids[-1] == TOKENIZER.end_of_text
    prefix, suffix, middle = split_fim(ids)
    assert prefix + middle + suffix == window[:17]


def test_short_windows_stay():
    window = list(range(20, 20 + MIN_TOKENS - 1))
    assert rearrange_window(window, TOKENIZER, seed=0, share=1.0) == window


def test_a_line_ends_before_its_line_break():
    ids = TOKENIZER.encode("a = 1\n    b = 2\na")
    breaks = [place for place, token in enumerate(ids) if token in TOKENIZER.line_break_ids]
    assert end_of_line(ids, 0, TOKENIZER) == breaks[0]
    assert end_of_line(ids, breaks[0], TOKENIZER) == breaks[1]
    assert end_of_line(ids, breaks[1], TOKENIZER) == len(ids)


def test_a_rearranged_window_begins_with_its_prompt():
    window = list(range(20, 60))
    ids = rearrange_window(window, TOKENIZER, seed=3, share=1.0)
    prefix, suffix, middle = split_fim(ids)
    prompt = fim_prompt(TOKENIZER, prefix, suffix)
    assert ids == [*prompt, *middle, TOKENIZER.end_of_text]
