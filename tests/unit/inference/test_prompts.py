"""What is taken back at the cursor, and what is not."""

from __future__ import annotations

from nested_ray.inference.prompts import take_back


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
