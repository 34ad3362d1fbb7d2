"""What is taken back at the cursor, and what is not."""

from __future__ import annotations

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.pre_tokenizers import ByteLevel

from nested_ray.config.train import PretrainedTokenizer
from nested_ray.datasets.pretrained_tokenizer import cut_tokenizer
from nested_ray.errors import PromptTooLong
from nested_ray.inference.base import Prompt
from nested_ray.inference.prompts import PromptEncoder, take_back
from nested_ray.inference.vocabulary import Vocabulary

CODE = (
    "def area(width, height):\n    if width:\n        return width * height\n\n\nprint(area(2, 3))\n"
    "Процедура Печать(Документ) Экспорт\n\tЕсли Документ Тогда\n\t\tСообщить(Документ);\n\tКонецЕсли;\n"
)
PRETRAINED = {
    "gpt2": r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "qwen": r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
"""How families of models cut text into pieces: both put the last blank before a word to the word."""


@pytest.fixture(params=PRETRAINED)
def pretrained(request):
    """A nest's tokenizer that was cut from a pretrained model's."""
    source = Tokenizer(models.BPE())
    source.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETRAINED[request.param]), behavior="isolated"),
            ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    source.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=sorted(ByteLevel.alphabet()), show_progress=False
    )
    source.train_from_iterator([CODE] * 4, trainer)
    config = PretrainedTokenizer(type="pretrained", source="folder", vocab_size=600)
    return cut_tokenizer(source, [CODE], config)


def beginnings(text):
    """Where the text of every line begins."""
    lines = text.splitlines(keepends=True)
    starts = (sum(map(len, lines[:at])) for at in range(len(lines)))
    blanks = (len(line) - len(line.lstrip(" \t")) for line in lines)
    return [start + indentation for start, indentation in zip(starts, blanks, strict=True)]


def test_behind_the_indentation_a_pretrained_tokenizer_goes_on_as_the_corpus_does(pretrained):
    whole, vocabulary = pretrained.encode(CODE), Vocabulary(pretrained)
    for at in beginnings(CODE)[1:]:
        kept, pending = take_back(pretrained, pretrained.encode(CODE[:at]))
        assert pretrained.decode(kept) + pending.decode() == CODE[:at]
        assert whole[: len(kept)] == kept
        for token in whole[len(kept) :]:
            if not pending:
                break
            assert vocabulary.allowed(pending)[token]
            pending = pending[len(pretrained.token_bytes(token)) :]
        assert not pending


def test_an_indentation_becomes_no_deeper(pretrained):
    vocabulary = Vocabulary(pretrained)
    _, pending = take_back(pretrained, pretrained.encode("def area(width, height):\n    "))
    assert pending.endswith(b"    ")
    allowed_V = vocabulary.allowed(pending)
    deeper = [
        token
        for token in range(pretrained.vocab_size)
        if pretrained.token_bytes(token).startswith((pending + b" ", pending + b"\t"))
    ]
    assert deeper
    assert not allowed_V[deeper].any()


def test_the_token_under_the_cursor_is_taken_back(tokenizer):
    ids = tokenizer.encode("def total(values):\n    resul")
    kept, pending = take_back(tokenizer, ids)
    assert tokenizer.decode(kept) + pending.decode() == "def total(values):\n    resul"
    assert pending


def test_indentation_is_complete_and_stays(tokenizer):
    ids = tokenizer.encode("def total(values):\n    ")
    assert take_back(tokenizer, ids) == (ids, b"")


def test_an_indentation_of_several_tokens_stays(tokenizer):
    ids = tokenizer.encode("def total(values):\n" + " " * 31)
    assert tokenizer.token_bytes(ids[-1]).strip(b" ") == b""  # deeper than any of the corpus
    assert take_back(tokenizer, ids) == (ids, b"")


def test_a_bare_line_break_may_become_one_with_indentation(tokenizer):
    _, pending = take_back(tokenizer, tokenizer.encode("def total(values):\n"))
    assert pending == b"\n"


def test_a_prompt_too_long_for_any_tokens_is_refused_unread(tokenizer, monkeypatch):
    longest = max(len(tokenizer.token_bytes(token)) for token in range(tokenizer.vocab_size))
    prompts = PromptEncoder(tokenizer, {}, {}, window_tokens=48, max_prompt_tokens=10)

    def refuse(*_):
        raise AssertionError("the text was read")

    monkeypatch.setattr(tokenizer, "encode", refuse)
    monkeypatch.setattr(tokenizer, "encode_tail", refuse)
    half = "x" * (5 * longest)
    with pytest.raises(
        PromptTooLong, match=f"has {10 * longest + 1} characters, .* than 10 tokens"
    ):
        prompts.encode(Prompt(half + "x", suffix=half), 8)
    with pytest.raises(AssertionError, match="was read"):
        prompts.encode(Prompt(half, suffix=half), 8)


def test_a_prompt_of_the_longest_tokens_is_taken_up_to_the_limit(tokenizer):
    longest = max(map(tokenizer.token_bytes, range(tokenizer.vocab_size)), key=len).decode()
    prompts = PromptEncoder(tokenizer, {}, {}, window_tokens=48, max_prompt_tokens=10)
    text = longest * 10
    if len(tokenizer.encode(text)) == 10:
        assert prompts.num_tokens(Prompt(text)) == 10
        prompts._refuse_by_length(Prompt(text.replace("\n", "\r\n")))
    with pytest.raises(PromptTooLong):
        prompts.encode(Prompt(text + longest), 8)
