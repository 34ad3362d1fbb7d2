import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from nested_ray.config.train import TokenizerConfig
from nested_ray.datasets.tokenizer import SPECIAL_TOKENS, NestTokenizer, sample_texts
from nested_ray.errors import ConfigError

PYTHON = "def add(first, second):\n    total = first + second\n    return total\n" * 20
BSL = (
    "Процедура Добавить(Первый, Второй) Экспорт\n\tИтог = Первый + Второй;\nКонецПроцедуры\n\n" * 20
)
CONFIG = TokenizerConfig(vocab_size=600)
TOKENIZER = NestTokenizer.train([PYTHON, BSL], CONFIG)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
code = st.lists(
    st.sampled_from(
        ["def", " ", "\n", "\t", "    ", "Процедура", "x1", "==", "\r\n", '"', "é", *SPECIAL_TOKENS]
    ),
    max_size=30,
).map("".join)


@given(texts | code)
@settings(max_examples=300)
def test_text_comes_back_exactly(text: str):
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert TOKENIZER.decode_bytes(ids) == text.encode()


@given(texts | code)
def test_no_text_encodes_to_a_special_token(text: str):
    assert all(token >= len(SPECIAL_TOKENS) for token in TOKENIZER.encode(text))


@given(code)
def test_a_line_break_only_opens_a_token(text: str):
    for token in TOKENIZER.encode(text):
        assert b"\n" not in TOKENIZER.token_bytes(token)[1:]


def test_a_corpus_full_of_special_tokens_does_not_teach_them():
    tokenizer = NestTokenizer.train(["<|window|> <|fim_middle|>\n" * 500], CONFIG)
    ids = tokenizer.encode("<|window|>")
    assert tokenizer.window not in ids
    assert tokenizer.decode(ids) == "<|window|>"


def test_decision_ids_end_the_text_or_begin_a_line():
    end, *breaks = TOKENIZER.decision_ids
    assert end == TOKENIZER.end_of_text
    texts = [TOKENIZER.token_bytes(token) for token in breaks]
    assert len(set(texts)) == 3
    assert b"\n" in texts
    assert all(text.startswith(b"\n") and not text.strip() for text in texts)


def test_special_ids_are_the_first_ones_and_have_no_text():
    assert [TOKENIZER.pad, TOKENIZER.end_of_text, TOKENIZER.fim_middle] == [0, 1, 7]
    assert (
        TOKENIZER.decode([TOKENIZER.window, *TOKENIZER.encode("x"), TOKENIZER.end_of_text]) == "x"
    )
    assert TOKENIZER.token_bytes(TOKENIZER.pad) == b""


def test_indentation_belongs_to_the_line_break():
    pieces = [TOKENIZER.token_bytes(token) for token in TOKENIZER.encode("return\n    total")]
    assert pieces[-2:] == [b"\n    ", b"total"]


def test_a_frequent_russian_word_is_one_token():
    assert len(TOKENIZER.encode("КонецПроцедуры")) == 1


def test_half_a_character_is_marked_not_lost():
    ids = TOKENIZER.encode("€")
    assert len(ids) == 3
    assert TOKENIZER.decode(ids[:2]) == "�"
    assert b"".join(map(TOKENIZER.token_bytes, ids)) == "€".encode()


def test_lone_surrogate_is_refused_with_its_position():
    with pytest.raises(ValueError, match=r"U\+D800 at character 2"):
        TOKENIZER.encode("ab\ud800")
    with pytest.raises(ValueError, match="lone surrogate"):
        TOKENIZER.encode_batch(["fine", "\udfff"])


def test_same_texts_give_the_same_tokenizer_and_others_another():
    assert NestTokenizer.train([PYTHON, BSL], CONFIG).hash == TOKENIZER.hash
    assert NestTokenizer.train([BSL], CONFIG).hash != TOKENIZER.hash


def test_loaded_tokenizer_is_the_saved_one(tmp_path):
    TOKENIZER.save(tmp_path / "nest" / "tokenizer.json")
    loaded = NestTokenizer.load(tmp_path / "nest" / "tokenizer.json")
    text = PYTHON + BSL + "".join(SPECIAL_TOKENS)
    assert loaded.hash == TOKENIZER.hash
    assert loaded.vocab_size == TOKENIZER.vocab_size
    assert loaded.encode(text) == TOKENIZER.encode(text)
    assert [path.name for path in (tmp_path / "nest").iterdir()] == ["tokenizer.json"]


def test_a_copy_in_another_process_still_knows_no_special_text():
    copy = pickle.loads(pickle.dumps(TOKENIZER))
    assert copy.hash == TOKENIZER.hash
    assert copy.encode("<|window|>") == TOKENIZER.encode("<|window|>")


def test_hugging_face_reads_the_saved_file_the_same_way(tmp_path):
    TOKENIZER.save(tmp_path / "tokenizer.json")
    other = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert other.encode(BSL).ids == TOKENIZER.encode(BSL)
    assert other.decode(TOKENIZER.encode(BSL)) == BSL


def test_ids_stay_below_the_vocabulary_size_and_batches_agree():
    ids = TOKENIZER.encode_batch([PYTHON, BSL])
    assert ids == [TOKENIZER.encode(PYTHON), TOKENIZER.encode(BSL)]
    assert max(map(max, ids)) < TOKENIZER.vocab_size <= CONFIG.vocab_size


@pytest.mark.parametrize("content", ["", "{}", "not json", json.dumps({"version": "1.0"})])
def test_a_broken_file_is_named(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"tokenizer\.json is not a tokenizer file"):
        NestTokenizer.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot read tokenizer"):
        NestTokenizer.load(tmp_path / "none.json")


def test_a_foreign_tokenizer_is_refused(tmp_path):
    from tokenizers import models

    Tokenizer(models.BPE()).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ConfigError, match="was not made by nested-ray"):
        NestTokenizer.load(tmp_path / "tokenizer.json")


def test_sample_keeps_order_and_stays_within_the_limit():
    texts = [f"{number} " * 50 for number in range(20)]
    sample = sample_texts(texts, 1000)
    assert sum(len(text) for text in sample) == 1000
    whole = [text for text in sample if text in texts]
    assert len(whole) >= len(sample) - 1
    assert sorted(whole, key=texts.index) == whole
    assert sample == sample_texts(texts, 1000)


def test_sample_cuts_a_single_huge_text_at_a_character():
    assert sample_texts(["ы" * 100], 51) == ["ы" * 25]


def test_the_tail_of_a_text_is_the_end_of_its_ids_and_long_lines_are_not_remembered():
    tokenizer = NestTokenizer.train([PYTHON, BSL], CONFIG)
    long = "total = " + "first + " * 2_000
    text = f"def add():\n    {long}\n    return total"
    ids = tokenizer.encode(text)
    for max_tokens in (0, 3, 1_000, len(ids), len(ids) + 5):
        for _ in range(2):  # read, then remembered
            assert (
                tokenizer.encode_tail(text, max_tokens)
                == ids[len(ids) - min(len(ids), max_tokens) :]
            )
    assert max(len(line) for line in tokenizer._lines) < 500
    assert "\n    return total" in tokenizer._lines
