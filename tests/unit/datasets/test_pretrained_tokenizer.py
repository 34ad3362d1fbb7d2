"""A pretrained tokenizer cut down: kept tokens stay what they were, lines stay apart, bytes stay exact."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.pre_tokenizers import ByteLevel

from nested_ray.config.train import PretrainedTokenizer
from nested_ray.datasets.pretrained_tokenizer import cut_tokenizer
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.errors import ConfigError

CODE = [
    "def area(width, height):\n    return width * height\n\n\nprint(area(2, 3))\n" * 4,
    "Процедура Печать(Знач Документ) Экспорт\n\tСообщить(Документ);\nКонецПроцедуры\n" * 4,
]
OTHER = [" ".join(a + b + c for a in "bdfgklmnp" for b in ("ia", "ou", "ee") for c in "rstvxz")]
QWEN_LIKE = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def settings_for(vocab_size):
    return PretrainedTokenizer(type="pretrained", source="folder", vocab_size=vocab_size)


@pytest.fixture(scope="module")
def source():
    """Normalises, merges line breaks with what stands before them, has markers of its own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_LIKE), behavior="isolated"),
            ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=800, initial_alphabet=sorted(ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(CODE * 2 + OTHER, trainer)
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>"])
    return tokenizer


@pytest.fixture(scope="module")
def cut(source):
    return cut_tokenizer(source, CODE, settings_for(512))


def words(tokenizer, text):
    return [tokenizer.id_to_token(token) for token in tokenizer.encode(text).ids]


def test_kept_tokens_are_the_sources_own(source, cut):
    whole = cut_tokenizer(source, CODE, settings_for(2048))
    assert cut.vocab_size == 512 < whole.vocab_size
    for line in "".join(CODE).splitlines():
        theirs = [source.decode([token]).encode() for token in source.encode(line).ids]
        assert [whole.token_bytes(token) for token in whole.encode(line)] == theirs


def test_the_most_frequent_tokens_of_the_code_are_kept_first(source, cut):
    whole = cut_tokenizer(source, CODE, settings_for(2048))
    written = {whole.token_bytes(token) for text in CODE for token in whole.encode(text)}
    known = {cut.token_bytes(token) for token in range(cut.vocab_size)}
    assert written <= known
    assert any(size > 4 for size in map(len, written))
    assert b" piar" in {whole.token_bytes(token) for token in range(whole.vocab_size)}
    assert b" piar" not in known


def test_text_of_markers_is_text(cut):
    text = "<|endoftext|><|window|><|im_start|>"
    ids = cut.encode(text)
    assert cut.decode(ids) == text and min(ids) >= 8


@given(text=st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_comes_back_and_lines_are_encoded_apart(cut, text):
    if any("\ud800" <= character <= "\udfff" for character in text):
        return
    ids = cut.encode(text)
    assert cut.decode(ids) == text
    first, *rest = text.split("\n")
    by_line = cut.encode(first) + [token for line in rest for token in cut.encode("\n" + line)]
    assert ids == by_line
    assert cut.encode_tail(text, len(ids)) == ids


def test_it_is_saved_and_loaded_as_any_other(cut, tmp_path):
    cut.save(tmp_path / "tokenizer.json")
    again = NestTokenizer.load(tmp_path / "tokenizer.json")
    assert again.hash == cut.hash and again.encode(CODE[0]) == cut.encode(CODE[0])
    assert cut.decision_ids[0] == cut.end_of_text
    assert cut.token_bytes(cut.decision_ids[1]) == b"\n"


def test_a_tokenizer_of_words_is_refused():
    tokenizer = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    with pytest.raises(ConfigError, match="folder is not byte-level BPE"):
        cut_tokenizer(tokenizer, CODE, settings_for(512))
