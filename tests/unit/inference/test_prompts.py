"""What is taken back at the cursor, and what is not."""

from __future__ import annotations

import pytest

from nested_ray.errors import PromptTooLong
from nested_ray.inference.base import Prompt
from nested_ray.inference.prompts import PromptEncoder, take_back


def test_the_token_under_the_cursor_is_taken_back(tokenizer):
    ids = tokenizer.encode("def total(values):\n    resul")
    kept, pending = take_back(tokenizer, ids)
    assert tokenizer.decode(kept) + pending.decode() == "def total(values):\n    resul"
    assert pending


def test_indentation_is_complete_and_stays(tokenizer):
    ids = tokenizer.encode("def total(values):\n    ")
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
